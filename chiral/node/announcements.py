"""Tells the swarm what this node holds: roots at once and under both of their keys, chunks behind them.

A root is announced under its CID's bytes (Chiral, Rust) and its multihash (Go, IPFS), a chunk under its CID's bytes
only: whoever looks for a file asks the root's providers for its chunks first.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import trio

from chiral.block.cid import CID
from chiral.errors import ChiralError
from chiral.files.manifest import read_held
from chiral.interface.catalogue import Catalogue
from chiral.interface.routing import ProvideResult, Routing

logger = logging.getLogger(__name__)

_ROOT_WAIT_S = 10.0
_MAX_WAITING = 4096
_KEYS_AT_ONCE = 512
_PAGE_FILES = 100


def root_keys(root: CID) -> list[bytes]:
    """The provider keys of a root, each once."""
    return list(dict.fromkeys((root.buffer, root.multihash)))


@dataclass(frozen=True, slots=True)
class _Due:
    """A file whose chunks are to be announced, and its root too unless that is done."""

    root: CID
    with_root: bool


class Announcements:
    """Announces through the routing, which repeats what it was told; implements `chiral.files.announcer.Announcer`.

    What waits is names of files, at most 4096. Should more come, the whole catalogue is gone through after them.
    """

    def __init__(self, routing: Routing, catalogue: Catalogue) -> None:
        self._routing = routing
        self._catalogue = catalogue
        self._due: deque[_Due] = deque()
        self._missed_some = False
        self._wake = trio.Event()

    async def added(self, root: CID) -> None:
        """Announce the root, waiting for ten seconds at most, and the rest behind."""
        with_root = True
        try:
            with trio.move_on_after(_ROOT_WAIT_S):
                await self._provide(root_keys(root))
                with_root = False
        finally:  # a caller that waits no longer has added the file all the same
            self._note(_Due(root, with_root))

    def fetched(self, root: CID) -> None:
        """Announce the file behind."""
        self._note(_Due(root, with_root=True))

    async def removed(self, root: CID, chunks: Sequence[CID]) -> None:
        """Announce the root and those chunks no longer."""
        await self._routing.stop_providing([*root_keys(root), *(chunk.buffer for chunk in chunks)])

    async def provide(self, cid: CID) -> list[ProvideResult]:
        """Announce one CID under both keys now; raises what the routing raises."""
        return await self._routing.provide(root_keys(cid))

    async def run(self) -> None:
        """Announce what is due, file after file, until cancelled."""
        while True:
            while not self._due and not self._missed_some:
                self._wake = trio.Event()
                await self._wake.wait()
            if self._due:
                due, self._due = self._due, deque()
                await self._announce(due)
            else:
                self._missed_some = False
                await self.resume()

    async def resume(self) -> None:
        """Announce all that the catalogue holds, as after a start: roots of all files first, then their chunks."""
        roots: list[CID] = []
        try:
            while page := await self._catalogue.page(roots[-1].multihash if roots else b"", _PAGE_FILES):
                roots += [record.root for record in page]
                await self._provide([key for record in page for key in root_keys(record.root)])
        except ChiralError as error:
            logger.warning("the catalogue could not be announced whole: %s", error)
        await self._announce(_Due(root, with_root=False) for root in roots)

    def _note(self, due: _Due) -> None:
        if len(self._due) < _MAX_WAITING:
            self._due.append(due)
        else:
            self._missed_some = True
        self._wake.set()

    async def _announce(self, due: Iterable[_Due]) -> None:
        """Announce small files many at a time: what takes long is to find who is to know of a key."""
        keys: list[bytes] = []
        for file in due:
            if file.with_root:
                keys += root_keys(file.root)
            keys += await self._chunk_keys(file.root)
            while len(keys) >= _KEYS_AT_ONCE:
                await self._provide(keys[:_KEYS_AT_ONCE])
                del keys[:_KEYS_AT_ONCE]
        if keys:
            await self._provide(keys)

    async def _chunk_keys(self, root: CID) -> list[bytes]:
        """Nothing for a file that is gone meanwhile."""
        try:
            manifest = await self._catalogue.manifest(root)
            return [] if manifest is None else [cid.buffer for cid in (await read_held(root, manifest)).chunk_cids]
        except ChiralError as error:
            logger.warning("the chunks of %s cannot be announced: %s", root, error)
            return []

    async def _provide(self, keys: Sequence[bytes]) -> None:
        try:
            await self._routing.provide(list(dict.fromkeys(keys)))
        except ChiralError as error:
            logger.warning("%d keys could not be announced: %s", len(keys), error)
