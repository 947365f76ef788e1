"""Sweeping: goes through all blocks in the order of their multihashes and removes those that nothing keeps."""

from __future__ import annotations

from chiral.block.cid import CID
from chiral.pinning.digest_set import DigestSet
from chiral.pinning.roots import Keepers

BATCH_BLOCKS = 256
"""Removed together, in one transaction: while it lasts, whoever begins to rely on blocks waits."""
_NO_FILE = CID.of(b"")
"""A root no file has (that of an empty file is another): every file is one other than it."""


class Sweep:
    """Over one store behind `position`, with the marks of one collection; to be used while `collecting`.

    Looking and removing by turns: what looking found dead waits for the next `remove`, and is looked at once more then.
    """

    def __init__(self, keepers: Keepers, marks: DigestSet, position: bytes, *, dry_run: bool) -> None:
        self._blocks = keepers.blocks
        self._catalogue = keepers.catalogue
        self._uses = keepers.uses
        self._marks = marks
        self._dry_run = dry_run
        self._seen = position
        self._suspects: list[CID] = []
        self.position = position
        """Up to this multihash everything has been looked at and removed."""

    @property
    def full(self) -> bool:
        """Whether so much was found that it should be removed before looking further."""
        return len(self._suspects) >= BATCH_BLOCKS

    async def look(self, limit: int) -> int:
        """Look at up to `limit` blocks more; how many there were, 0 at the end. Raises `StoreError`."""
        page = await self._blocks.page(self._seen, limit)
        if page:
            unmarked = [cid for cid in page if cid.multihash not in self._marks]
            self._suspects += await self._unused(unmarked)
            self._seen = page[-1].multihash
        return len(page)

    async def remove(self) -> tuple[int, int]:
        """Remove what was found and is dead still; how many blocks and bytes that are. Raises `StoreError`."""
        sizes: list[int | None] = []
        if self._suspects:
            async with self._uses.removing():
                dead = await self._dead(self._suspects)
                sizes = await self._blocks.sizes(dead)
                if not self._dry_run:
                    await self._blocks.delete_many(dead)
        self._suspects = []
        self.position = self._seen
        return len(sizes), sum(size or 0 for size in sizes)

    async def _dead(self, suspects: list[CID]) -> list[CID]:
        """Those of `suspects` that may go, now that no new use begins; said to be doomed."""
        unused = await self._unused(suspects)  # again: a file may have entered the catalogue since
        noted = await self._uses.noted([cid.multihash for cid in unused])
        dead = [cid for cid, spared in zip(unused, noted, strict=True) if not spared]
        if not self._dry_run:
            self._uses.doom(cid.multihash for cid in dead)
        return dead

    async def _unused(self, cids: list[CID]) -> list[CID]:
        """Those that no catalogued file is made of."""
        if not cids:
            return []
        used = await self._catalogue.chunk_users(_NO_FILE, cids)
        return [cid for cid, by_files in zip(cids, used, strict=True) if not by_files]
