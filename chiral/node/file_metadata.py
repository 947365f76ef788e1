"""Publishes `metadata:<root>` of the files that are added here, behind their announcing and many at once.

What it publishes is signed by this node; the routing keeps and repeats it. Files of other nodes are theirs to describe.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from mimetypes import MimeTypes
from typing import Protocol

import trio

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.dag.metadata_record import MAX_RECORD_BYTES, OCTET_STREAM, FileMetadata
from chiral.dag.metadata_validator import issue, metadata_key
from chiral.errors import ChiralError, LimitExceededError, UsageError
from chiral.files.announcer import Announcer
from chiral.files.manifest import read_held
from chiral.interface.catalogue import Catalogue
from chiral.interface.public_key import Signer

logger = logging.getLogger(__name__)

_LINGER_S = 1.0
"""Files added one after another are described in one go."""
_BATCH = 64
_MAX_WAITING = 65_536
_MOST_CHUNKS = MAX_RECORD_BYTES // 44
_MEDIA_TYPES = MimeTypes()


class RecordPublisher(Protocol):
    """Publishes value records behind and keeps them published."""

    async def publish_records(self, values: Mapping[bytes, bytes]) -> None: ...

    async def withdraw_records(self, keys: Sequence[bytes]) -> None: ...


class FileMetadataAnnouncer:
    """An `Announcer` that passes everything on and describes what was added; `run` must be running.

    With `publishes` false it describes nothing, and withdraws what was described at another time.
    """

    def __init__(
        self,
        inner: Announcer,
        publisher: RecordPublisher,
        catalogue: Catalogue,
        signer: Signer,
        clock: Clock,
        *,
        publishes: bool = True,
    ) -> None:
        self._publishes = publishes
        self._inner = inner
        self._publisher = publisher
        self._catalogue = catalogue
        self._signer = signer
        self._clock = clock
        self._waiting: dict[CID, None] = {}
        self._changed = trio.Event()

    async def added(self, *roots: CID) -> None:
        """Announce new files as `inner` does; their descriptions follow."""
        try:
            await self._inner.added(*roots)
        finally:
            if self._publishes:
                self._note(roots)

    def fetched(self, root: CID) -> None:
        """Passed on: its author describes it."""
        self._inner.fetched(root)

    async def removed(self, root: CID, chunks: Sequence[CID]) -> None:
        """Announce and describe the file no longer."""
        self._waiting.pop(root, None)
        await self._inner.removed(root, chunks)
        await self._withdraw([metadata_key(root)])

    async def run(self) -> None:
        """Describe what was added until cancelled."""
        while True:
            await self._changed.wait()
            await trio.sleep(_LINGER_S)
            self._changed = trio.Event()
            while self._waiting:
                roots = list(self._waiting)[:_BATCH]
                await self._publish(roots)
                # One that was removed meanwhile may have been withdrawn before it was published.
                if gone := [metadata_key(root) for root in roots if root not in self._waiting]:
                    await self._withdraw(gone)
                for root in roots:
                    self._waiting.pop(root, None)

    async def _withdraw(self, keys: Sequence[bytes]) -> None:
        try:
            await self._publisher.withdraw_records(keys)
        except ChiralError as error:  # the file is gone all the same
            logger.warning("metadata of %d removed files could not be withdrawn: %s", len(keys), error)

    def _note(self, roots: Sequence[CID]) -> None:
        room = max(0, _MAX_WAITING - len(self._waiting))
        self._waiting.update(dict.fromkeys(roots[:room]))
        if len(roots) > room:
            logger.warning("metadata of %d files is not published: too many wait for that", len(roots) - room)
        self._changed.set()

    async def _publish(self, roots: Sequence[CID]) -> None:
        records: dict[bytes, bytes] = {}
        for root in roots:
            record = await self._record(root)
            if record is not None:
                records[metadata_key(root)] = record
        if not records:
            return
        try:
            await self._publisher.publish_records(records)
        except UsageError:  # one cannot be published: the others can
            for key, record in records.items():
                await self._publish_one(key, record)
        except ChiralError as error:
            logger.warning("metadata of %d files could not be published: %s", len(records), error)

    async def _publish_one(self, key: bytes, record: bytes) -> None:
        try:
            await self._publisher.publish_records({key: record})
        except ChiralError as error:
            logger.warning("%s is not published: %s", key.decode(), error)

    async def _record(self, root: CID) -> bytes | None:
        """The signed record of `root`; None for a file that is gone meanwhile or cannot be described in one."""
        try:
            held = await self._catalogue.get(root)
            if held is None:
                return None
            if held.chunks > _MOST_CHUNKS:  # known without reading a manifest of megabytes
                raise LimitExceededError(f"{held.chunks} chunks do not fit a metadata record")
            manifest = await self._catalogue.manifest(root)
            if manifest is None:
                return None
            info = await read_held(root, manifest)
            metadata = FileMetadata(info, held.mime or media_type(info.name), held.dag_root)
            return issue(metadata, self._signer, self._clock.wall())
        except ChiralError as error:
            logger.info("metadata of %s is not published: %s", root, error.message)
            return None


def media_type(name: str) -> str:
    """What the end of a file's name says of its content."""
    return _MEDIA_TYPES.guess_type(name, strict=False)[0] or OCTET_STREAM
