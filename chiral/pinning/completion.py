"""Having all of a DAG here: goes through it from its root, fetching what is missing, a batch of blocks at a time."""

from __future__ import annotations

from collections.abc import Callable

import trio

from chiral.block.cid import CID
from chiral.errors import IntegrityError
from chiral.interface.blockstore import Blockstore
from chiral.interface.content import ContentSource
from chiral.pinning.digest_set import DigestSet
from chiral.pinning.links import links_of, may_link
from chiral.pinning.uses import BlockUses

_BATCH_BLOCKS = 128

Progress = Callable[[int, int | None], None]
"""Called with how many blocks are here and how many are known of; more may become known."""


class Completion:
    """Of the DAG under `root`, whose block is here; to be run while `uses.completing(root)`."""

    def __init__(self, root: CID, blocks: Blockstore, source: ContentSource, uses: BlockUses, timeout_s: float) -> None:
        self._root = root
        self._blocks = blocks
        self._source = source
        self._uses = uses
        self._timeout_s = timeout_s
        self._waiting = [root]
        self._known = DigestSet()
        self._known.add(root.multihash)
        self.done = 0
        """How many different blocks of it are here for certain."""

    async def run(self, progress: Progress | None) -> None:
        """Fetch until nothing is missing.

        Raises `IntegrityError` for a block that is damaged here, `MalformedContentError`, and what fetching raises.
        """
        while self._waiting:
            batch = self._waiting[-_BATCH_BLOCKS:]
            del self._waiting[-_BATCH_BLOCKS:]
            nodes = await self._have(batch)
            for links in await trio.to_thread.run_sync(_all_links, nodes):
                self._waiting += [link for link in links if self._known.add(link.multihash)]
            self.done += len(batch)
            if progress is not None:
                progress(self.done, self.done + len(self._waiting))

    async def _have(self, batch: list[CID]) -> list[tuple[CID, bytes]]:
        """Have the blocks of `batch` here; the bytes of those that may link to others."""
        self._uses.touch(cid.multihash for cid in batch)
        await self._uses.settled()
        held = await self._blocks.has_many(batch)
        missing = [cid for cid, here in zip(batch, held, strict=True) if not here]
        if missing:
            await self._source.fetch(self._root, missing, timeout_s=self._timeout_s)
        nodes = [cid for cid in batch if may_link(cid)]
        blocks = await self._blocks.get_many(nodes)
        return [(cid, _present(cid, block)) for cid, block in zip(nodes, blocks, strict=True)]


def _present(cid: CID, block: bytes | None) -> bytes:
    if block is None:
        raise IntegrityError(f"block {cid} was removed while what it belongs to was being pinned", hint="try again")
    return block


def _all_links(nodes: list[tuple[CID, bytes]]) -> list[list[CID]]:
    for cid, block in nodes:
        if not cid.matches(block):
            raise IntegrityError(f"block {cid} is damaged in the store", hint="'chiral verify' fetches it again")
    return [links_of(cid, block) for cid, block in nodes]
