"""Blocks outside this machine are checked through their port."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.errors import IntegrityError
from chiral.store.quarantine import Quarantine
from chiral.store.remote_check import MOST_AT_ONCE, RemoteBlockCheck
from chiral.store.store import Store
from tests.contracts.blockstore import numbered
from tests.fakes.memory_store import MemoryBlockstore

BAD = Block(CID.of(b"right"), b"wrong")


class CheckingBlockstore(MemoryBlockstore):
    """Finds damage itself, as a store that verifies what it reads."""

    async def get_many(self, cids: Sequence[CID]) -> list[bytes | None]:
        held = await super().get_many(cids)
        for cid, data in zip(cids, held, strict=True):
            if data is not None and not cid.matches(data):
                raise IntegrityError(f"{cid} came damaged")
        return held


@pytest.mark.parametrize("kind", [MemoryBlockstore, CheckingBlockstore])
async def test_damage_is_found_named_and_taken_away(store: Store, kind: type[MemoryBlockstore]) -> None:
    blocks = kind()
    await blocks.put_many([*numbered(40), BAD])
    check = RemoteBlockCheck(blocks, store.environment)
    after: bytes | None = b""
    seen, damaged = 0, []
    while after is not None:
        part = await check.check(after, 1 << 20, 1000)
        assert part.blocks <= MOST_AT_ONCE
        seen += part.blocks
        damaged += part.damaged
        after = part.last
    assert (seen, [damage.cid for damage in damaged]) == (41, [BAD.cid])
    assert await check.quarantine(damaged, 5.0) == damaged
    assert await blocks.get(BAD.cid) is None
    (entry,) = await Quarantine(store.environment).page()
    assert (entry.cid, entry.found_at, entry.reason) == (BAD.cid, 5.0, damaged[0].reason)
    assert await check.quarantine(damaged, 6.0) == []


async def test_a_hash_that_is_not_known_is_no_damage(store: Store) -> None:
    blocks = MemoryBlockstore()
    await blocks.put_many([Block(CID(1, 0x55, b"\x11\x14" + bytes(20)), b"sha1 once was")])
    part = await RemoteBlockCheck(blocks, store.environment).check(b"", 1 << 20, 1000)
    assert (part.blocks, part.damaged, part.unverifiable) == (1, (), 1)
