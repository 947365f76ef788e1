"""The swarm as a source of content: asking one peer for a block or a manifest, and finding whom to ask."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.block.cid import CID
from chiral.interface.exchange import Exchange
from chiral.interface.peer import PeerId
from chiral.transfer.finder import Finder


@dataclass(frozen=True, slots=True)
class Swarm:
    """`exchange` asks, `finder` finds; the caps are bytes of one answer."""

    exchange: Exchange
    finder: Finder
    max_block_bytes: int
    max_manifest_bytes: int

    async def block(self, peer: PeerId, cid: CID) -> memoryview | None:
        """What `peer` answers for block `cid`, as `Exchange.fetch` does: not verified."""
        return await self.exchange.fetch(peer, cid, limit_bytes=self.max_block_bytes)

    async def root(self, peer: PeerId, cid: CID) -> memoryview | None:
        """What `peer` answers for `cid`, which may be a file's root and the answer its FileInfo; not verified."""
        return await self.exchange.fetch(peer, cid, limit_bytes=max(self.max_manifest_bytes, self.max_block_bytes))
