"""Tells the swarm what this node holds: roots at once and under both of their keys, chunks behind them.

A root is announced under its CID's bytes (Chiral, Rust) and its multihash (Go, IPFS), a chunk under its CID's bytes
only: whoever looks for a file asks the root's providers for its chunks first.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

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


class Announcements:
    """Announces through the routing, which repeats what it was told; implements `chiral.files.announcer.Announcer`.

    Roots that come while others are being announced are announced together, so do the chunks of small files. What waits
    is names of files, at most 4096; should more come, the whole catalogue is gone through after them.
    """

    def __init__(self, routing: Routing, catalogue: Catalogue) -> None:
        self._routing = routing
        self._catalogue = catalogue
        self._roots: dict[CID, trio.Event] = {}
        """Roots to announce, and who waits for that."""
        self._chunks: deque[CID] = deque()
        """Roots of files whose chunks are to be announced."""
        self._missed_some = False
        self._roots_wait = trio.Event()
        self._chunks_wait = trio.Event()

    async def added(self, *roots: CID) -> None:
        """Announce the roots, waiting for ten seconds at most, and the rest behind."""
        announced = [self._note(root) for root in roots]
        with trio.move_on_after(_ROOT_WAIT_S):
            for root in announced:
                await root.wait()

    def fetched(self, root: CID) -> None:
        """Announce the file behind."""
        self._note(root)

    async def removed(self, root: CID, chunks: Sequence[CID]) -> None:
        """Announce the root and those chunks no longer."""
        await self._routing.stop_providing([*root_keys(root), *(chunk.buffer for chunk in chunks)])

    async def provide(self, cid: CID) -> list[ProvideResult]:
        """Announce one CID under both keys now; raises what the routing raises."""
        return await self._routing.provide(root_keys(cid))

    async def run(self) -> None:
        """Announce what is due until cancelled; roots do not wait for the chunks of other files."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._announce_roots)
            nursery.start_soon(self._announce_chunks)

    async def resume(self) -> None:
        """Announce all that the catalogue holds, as after a start: roots of all files first, then their chunks."""
        roots: list[CID] = []
        try:
            while page := await self._catalogue.page(roots[-1].multihash if roots else b"", _PAGE_FILES):
                roots += [record.root for record in page]
                await self._provide([key for record in page for key in root_keys(record.root)])
        except ChiralError as error:
            logger.warning("the catalogue could not be announced whole: %s", error)
        await self._provide_chunks(deque(roots))

    def _note(self, root: CID) -> trio.Event:
        """Have `root` announced; the event is set once it is, or where it must wait for the whole catalogue."""
        if len(self._roots) + len(self._chunks) >= _MAX_WAITING:
            self._missed_some = True
            self._chunks_wait.set()
            passed_over = trio.Event()
            passed_over.set()
            return passed_over
        self._roots_wait.set()
        return self._roots.setdefault(root, trio.Event())

    async def _announce_roots(self) -> None:
        while True:
            await self._roots_wait.wait()
            self._roots_wait = trio.Event()
            roots, self._roots = self._roots, {}
            keys = [key for root in roots for key in root_keys(root)]
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                await self._provide(keys[start : start + _KEYS_AT_ONCE])
            for announced in roots.values():
                announced.set()
            self._chunks += roots
            self._chunks_wait.set()

    async def _announce_chunks(self) -> None:
        while True:
            await self._chunks_wait.wait()
            self._chunks_wait = trio.Event()
            await self._provide_chunks(self._chunks)
            if self._missed_some:
                self._missed_some = False
                await self.resume()

    async def _provide_chunks(self, roots: deque[CID]) -> None:
        """Announce the chunks of `roots`, emptying it. What takes long is to find who is to know of a key."""
        keys: list[bytes] = []
        while roots:
            keys += await self._chunk_keys(roots.popleft())
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
