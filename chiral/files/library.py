"""One node's holdings as people work with them: labels, views, versions, differences and deltas, behind one door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.files.delta_files import Content, DeltaFiles
from chiral.files.difference import Differ
from chiral.files.labels import Labels
from chiral.files.shelf import Shelf
from chiral.files.versions import Version, Versions
from chiral.files.view import Viewer
from chiral.interface.catalogue import FileRecord
from chiral.interface.datastore import Datastore


@dataclass(frozen=True, slots=True)
class Description:
    """What is said of a file just added: tags, how long it is to live in seconds (None: nothing is said of that; what
    it already has stays), and the name that it is the newest version of."""

    tags: Sequence[str] = ()
    lifetime_s: float | None = None
    version_of: str | None = None


@dataclass(frozen=True, slots=True)
class Library:
    """The parts, which share a catalogue."""

    labels: Labels
    viewer: Viewer
    versions: Versions
    differ: Differ
    deltas: DeltaFiles

    @classmethod
    def over(cls, content: Content, shelf: Shelf, datastore: Datastore, clock: Clock) -> Library:
        """The library of what is on `shelf`; `content` reads and adds files there."""
        labels = Labels(shelf.catalogue, clock)
        return cls(
            labels,
            Viewer(labels, shelf),
            Versions(datastore, clock),
            Differ(labels, shelf),
            DeltaFiles(content, labels, shelf),
        )

    async def describe(self, cid: CID, said: Description) -> tuple[FileRecord, Version | None]:
        """Take down what is said of a file held here. Raises `NotFoundError`, and `UsageError` before any change."""
        record = await self.labels.find(cid)
        said_version = said.version_of
        if said_version is not None:
            self.versions.check(said_version)
        if said.tags:
            record = await self.labels.tag(cid, said.tags, ())
        if said.lifetime_s is not None:
            record = await self.labels.expire(cid, said.lifetime_s)
        if said_version is None:
            return record, None
        return record, await self.versions.add(said_version, record.root, record.size)
