"""Getting content here whole, for those who keep it: the `ContentSource` over resolver, opener and fetcher."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from chiral.block.cid import CID
from chiral.errors import sole_error
from chiral.files.opener import FileOpener
from chiral.files.resolver import RootResolver
from chiral.files.shelf import Shelf
from chiral.transfer.fetch import BlockFetcher, Wanted

_EXPECTED_BYTES = 256 << 10


class WholeContent:
    """One node's."""

    def __init__(self, resolver: RootResolver, opener: FileOpener, fetcher: BlockFetcher, shelf: Shelf) -> None:
        self._resolver = resolver
        self._opener = opener
        self._fetcher = fetcher
        self._shelf = shelf

    async def root(self, cid: CID, *, timeout_s: float) -> bytes | None:
        """As the port says; a file that is catalogued is read only if blocks of it are missing."""
        root = await self._resolver.resolve(cid, timeout_s)
        if root.info is None:
            return root.data
        if not root.local or await self._shelf.missing(root.info.chunk_cids):
            async with self._opener.open(cid, timeout_s=timeout_s) as reader:
                while await reader.next_batch() is not None:
                    pass
        return None

    async def fetch(self, root: CID, cids: Sequence[CID], *, timeout_s: float) -> None:
        """As the port says: from whoever provides the root, or else the blocks themselves."""
        wanted = Wanted(root, cids, range(len(cids)), _EXPECTED_BYTES)
        fetch = self._fetcher.fetch(wanted, (), stall_s=timeout_s)
        with sole_error():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fetch.run)
                taken = 0
                while taken < len(cids):
                    taken += len(await fetch.take(taken, len(cids)))
                nursery.cancel_scope.cancel()
