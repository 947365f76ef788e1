"""Whole nodes: what is pinned is fetched, kept over restarts and collections, and gone when nothing keeps it."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import pytest
import trio

from chiral.block.block import Block
from chiral.errors import PinnedError
from chiral.node.node import Node
from chiral.pinning.progress import CollectionProgress
from tests.pinning.dags import tree
from tests.scenarios.swarm import DEADLINE_S, add, get, random_file, running, sha256_of

MIB_BYTES = 1 << 20
TIMEOUT_S = 20.0


async def collect(node: Node) -> CollectionProgress:
    last: CollectionProgress | None = None
    with trio.fail_after(DEADLINE_S):
        async with aclosing(node.collector.collect()) as collecting:
            async for progress in collecting:
                last = progress
    assert last is not None
    return last


async def held(node: Node, blocks: list[Block]) -> int:
    return sum(await node.blockstore.has_many([block.cid for block in blocks]))


async def test_a_dag_is_pinned_from_a_peer_and_served_in_its_place(tmp_path: Path) -> None:
    dag, cache = tree("shared", width=5, depth=3), tree("cache")
    async with running(tmp_path / "a") as maker, running(tmp_path / "b", maker) as keeper:
        await maker.blockstore.put_many([*dag, *cache])
        with trio.fail_after(2 * DEADLINE_S):
            pinned = await keeper.pinner.add(dag[0].cid, name="shared", timeout_s=TIMEOUT_S)
            await keeper.fetch_block(cache[0].cid, TIMEOUT_S)
        assert (pinned.new, pinned.blocks) == (True, len(dag))
    async with running(tmp_path / "b") as keeper, running(tmp_path / "c", keeper) as other:
        assert (await collect(keeper)).freed_blocks == 1
        assert await held(keeper, dag) == len(dag)
        with trio.fail_after(2 * DEADLINE_S):
            await other.pinner.add(dag[0].cid, timeout_s=TIMEOUT_S)
        await keeper.pinner.remove(dag[0].cid)
        assert (await collect(keeper)).freed_blocks == len(dag)
        assert await held(keeper, dag) == 0
        assert await held(other, dag) == len(dag)
        figures = await keeper.stats()
        assert (figures.pins.recursive, figures.blocks) == (0, 0)
        assert figures.collection.last is not None


async def test_a_pinned_file(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", MIB_BYTES)
    async with running(tmp_path / "a") as maker, running(tmp_path / "b", maker) as keeper:
        added = await add(maker, original)
        with trio.fail_after(2 * DEADLINE_S):
            await keeper.pinner.add(added.root, timeout_s=TIMEOUT_S)
        with pytest.raises(PinnedError):
            await keeper.files.remove(added.root)
        other = await add(keeper, random_file(tmp_path / "other", MIB_BYTES, seed=2))
        with trio.fail_after(DEADLINE_S):
            async with aclosing(keeper.cleaner.clean(deep=True, dry_run=False)) as cleaning:
                async for _ in cleaning:
                    pass
        assert [record.root for record in await keeper.files.page()] == [added.root]
        assert other.root != added.root
        await maker.files.remove(added.root)
        assert await get(maker, added.root, tmp_path / "copy") == 1
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


async def test_a_collection_while_a_file_is_added_and_one_is_fetched(tmp_path: Path) -> None:
    files = [random_file(tmp_path / f"file{number}", 2 * MIB_BYTES, seed=number) for number in range(4)]
    async with running(tmp_path / "a") as maker, running(tmp_path / "b", maker) as node:
        roots = [(await add(maker, path)).root for path in files[:2]]
        over = False

        async def collect_again_and_again() -> None:
            while not over:
                await collect(node)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect_again_and_again)
            async with trio.open_nursery() as work:
                for number, root in enumerate(roots):
                    work.start_soon(get, node, root, tmp_path / f"copy{number}")
                for path in files[2:]:
                    work.start_soon(add, node, path)
            over = True
        await collect(node)
        for record in await node.files.page():
            async with node.files.open(record.root, timeout_s=1) as reader:
                assert sum([len(part) async for part in reader]) == 2 * MIB_BYTES
        assert len(await node.files.page()) == 4
