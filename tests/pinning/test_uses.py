"""What is in use is told to whoever asks inside a removal; what is noted is forgotten when nobody needs it."""

from __future__ import annotations

import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from chiral.block.cid import CID
from chiral.pinning.uses import BlockUses
from tests.pinning.dags import leaf

A, B, C = (leaf(text).cid for text in "abc")


async def noted(uses: BlockUses, *cids: CID) -> list[bool]:
    async with uses.removing():
        return await uses.noted([cid.multihash for cid in cids])


async def test_what_is_used_or_stored_while_collecting_is_noted() -> None:
    uses = BlockUses()
    async with uses.collecting():
        assert await noted(uses, A, B) == [False, False]
        uses.touch([A.multihash])
        async with uses.using([B]):
            assert await noted(uses, A, B, C) == [True, True, False]
        assert await noted(uses, A, B, C) == [True, True, False]
    async with uses.collecting():
        assert await noted(uses, A, B) == [False, False], "a new collection begins anew"


async def test_what_was_stored_by_somebody_still_at_it_counts_for_a_collection_that_begins_later() -> None:
    uses = BlockUses()
    uses.touch([A.multihash])
    async with uses.using([]):
        uses.touch([B.multihash])
        async with uses.collecting():
            assert await noted(uses, A, B) == [False, True]


async def test_a_list_that_grows() -> None:
    uses = BlockUses()
    growing: list[CID] = []
    async with uses.using(growing), uses.collecting():
        growing.append(A)
        assert await noted(uses, A) == [True]
        growing += [leaf(str(number)).cid for number in range(3000)]
        assert await noted(uses, growing[-1]) == [True]
        assert uses.in_use() == {cid.multihash for cid in growing}
    assert uses.in_use() == set()


async def test_notes_take_no_memory_when_nobody_needs_them() -> None:
    uses = BlockUses()
    assert uses.notes_bytes == 0
    with uses.completing(A):
        assert uses.incomplete == [A]
        assert uses.notes_bytes > 0
        async with uses.collecting():
            pass
        assert uses.notes_bytes > 0
    assert (uses.notes_bytes, uses.incomplete) == (0, [])


async def test_removals_go_one_after_another_and_uses_wait() -> None:
    uses = BlockUses()
    order: list[str] = []

    async def remove(name: str) -> None:
        async with uses.removing():
            uses.doom([A.multihash])
            order.append(f"{name} begins")
            await trio.lowlevel.checkpoint()
            order.append(f"{name} ends")

    async def use() -> None:
        async with uses.using([A]):
            order.append("used")

    async with trio.open_nursery() as nursery, uses.removing():
        nursery.start_soon(remove, "first")
        await wait_all_tasks_blocked()
        nursery.start_soon(use)
        await wait_all_tasks_blocked()
        assert order == []
    assert order == ["first begins", "first ends", "used"]
    assert not uses.is_doomed([A.multihash])
