"""Tells the swarm what this node holds: roots at once and under both of their keys, chunks behind them.

A root is announced under its CID's bytes (Chiral, Rust) and its multihash (Go, IPFS), a chunk under its CID's bytes
only: whoever looks for a file asks the root's providers for its chunks first.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import trio

from chiral.block.cid import CID
from chiral.errors import ChiralError
from chiral.interface.catalogue import Catalogue
from chiral.interface.routing import ProvideResult, Routing

logger = logging.getLogger(__name__)

_ROOT_WAIT_S = 10.0
_QUEUE_FILES = 1024
_CHUNKS_AT_ONCE = 512
_PAGE_FILES = 100


def root_keys(root: CID) -> list[bytes]:
    """The provider keys of a root, each once."""
    return list(dict.fromkeys((root.buffer, root.multihash)))


class Announcements:
    """Announces through the routing, which repeats what it was told; implements `chiral.files.files.Announcer`."""

    def __init__(self, routing: Routing, catalogue: Catalogue) -> None:
        self._routing = routing
        self._catalogue = catalogue
        self._send, self._receive = trio.open_memory_channel[list[bytes]](_QUEUE_FILES)

    async def added(self, root: CID, chunks: Sequence[CID]) -> None:
        """Announce the root, for ten seconds at most, and queue the chunks."""
        with trio.move_on_after(_ROOT_WAIT_S) as wait:
            await self._provide(root_keys(root))
        if wait.cancelled_caught:
            await self._send.send(root_keys(root))
        await self._queue_chunks(chunks)

    async def removed(self, root: CID, chunks: Sequence[CID]) -> None:
        """Announce the root and those chunks no longer."""
        await self._routing.stop_providing([*root_keys(root), *(chunk.buffer for chunk in chunks)])

    async def provide(self, cid: CID) -> list[ProvideResult]:
        """Announce one CID under both keys now; raises what the routing raises."""
        return await self._routing.provide(root_keys(cid))

    async def run(self) -> None:
        """Announce what is queued, file after file, until cancelled."""
        async for keys in self._receive:
            await self._provide(keys)

    async def resume(self) -> None:
        """Announce all that the catalogue holds, as after a start: roots of all files first, then their chunks."""
        from chiral.dag.file_info import FileInfo

        roots: list[CID] = []
        after = b""
        while page := await self._catalogue.page(after, _PAGE_FILES):
            roots += [record.root for record in page]
            await self._provide([key for record in page for key in root_keys(record.root)])
            after = page[-1].root.multihash
        for root in roots:
            manifest = await self._catalogue.manifest(root)
            if manifest is not None:
                await self._queue_chunks(FileInfo.parse(manifest).chunk_cids)

    async def _queue_chunks(self, chunks: Sequence[CID]) -> None:
        keys = list(dict.fromkeys(chunk.buffer for chunk in chunks))
        for start in range(0, len(keys), _CHUNKS_AT_ONCE):
            await self._send.send(keys[start : start + _CHUNKS_AT_ONCE])

    async def _provide(self, keys: list[bytes]) -> None:
        try:
            await self._routing.provide(keys)
        except ChiralError as error:
            logger.warning("%d keys could not be announced: %s", len(keys), error)
