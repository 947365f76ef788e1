"""What a DAG comes to: counts, depth, layout, and what it would be with nothing shared."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_CBOR, DAG_PB
from chiral.dag.dag_profile import DEFAULT_PROFILE, DagChild
from chiral.dag.directory import DirectoryEntry, build_directory
from chiral.files.archive_blocks import Loaded
from chiral.files.archive_order import DepthFirst
from chiral.files.archive_results import DagStat, ExportOptions
from chiral.files.archive_stat import MOST, DagMeasure, UnfoldingOrder
from tests.fakes.archives import ArchiveRig, chain, doubling, file_blocks, node_over, varied

OFFLINE = ExportOptions(offline=True)


async def stat(blocks: list[Block], root: CID) -> DagStat:
    return await (await ArchiveRig().hold(blocks)).archives.stat(root, OFFLINE)


async def test_a_single_block() -> None:
    block = Block.of(b"abc")
    found = await stat([block], block.cid)
    assert found == DagStat(block.cid, "block", 1, 3, 0, 0, 1, 1, 3)
    assert found.dedup_ratio == 1


async def test_a_balanced_file() -> None:
    root, blocks = file_blocks(bytes(range(250)) * 200, 100, replace(DEFAULT_PROFILE, width=10))
    found = await stat(blocks, root)
    assert (found.layout, found.blocks, found.size) == ("balanced", len(blocks), sum(map(len, blocks)))
    assert found.depth == 3
    assert found.leaves == sum(block.cid.codec != DAG_PB for block in blocks)
    assert found.unfolded_blocks == 500 + 50 + 5 + 1


async def test_a_trickle_file() -> None:
    data = b"".join(number.to_bytes(4, "big") * 25 for number in range(500))
    root, blocks = file_blocks(data, 100, replace(DEFAULT_PROFILE, width=10, layout="trickle"))
    found = await stat(blocks, root)
    assert (found.layout, found.dedup_ratio) == ("trickle", 1.0)


async def test_a_file_of_zeros_is_shared_with_itself() -> None:
    root, blocks = file_blocks(bytes(100_000), 100)
    found = await stat(blocks, root)
    assert found.unfolded_blocks == 1000 + 6 + 1
    assert (found.blocks, found.links) == (4, 174 + (1000 - 174 * 5) + 6)
    assert found.dedup_ratio > 5


async def test_directories() -> None:
    leaf = Block.of(b"leaf")
    entries = [DirectoryEntry(f"{number:04d}", DagChild(leaf.cid, 4, 4)) for number in range(50)]
    made, root = build_directory(DEFAULT_PROFILE, entries)
    assert (await stat([leaf, *made], root.cid)).layout == "directory"
    made, root = build_directory(replace(DEFAULT_PROFILE, shard_bytes=10), entries)
    assert (await stat([leaf, *made], root.cid)).layout == "sharded directory"


async def test_what_is_no_unixfs_is_called_by_its_codec() -> None:
    leaf = Block.of(b"leaf")
    for block, layout in ((node_over(leaf), "dag-pb"), (Block.of(b"\x01", DAG_CBOR), "dag-cbor")):
        assert (await stat([leaf, block], block.cid)).layout == layout


async def test_what_is_missing_is_counted() -> None:
    root, blocks = file_blocks(varied(2_500), 100)
    found = await stat([block for block in blocks if block.cid.codec == DAG_PB], root)
    leaves = [block.cid for block in blocks if block.cid.codec != DAG_PB]
    assert (found.missing.count, found.blocks) == (len(leaves), len(blocks) - len(leaves))
    assert str(found.missing) == ", ".join(map(str, leaves[:10])) + " and 15 more"
    assert (await stat([], root)).missing.count == 1


async def test_depth_and_size_without_end() -> None:
    blocks = chain(10_000)
    found = await stat(blocks, blocks[-1].cid)
    assert (found.depth, found.blocks, found.unfolded_blocks) == (10_000, 10_001, 10_001)
    blocks = doubling(1000)
    found = await stat(blocks, blocks[-1].cid)
    assert (found.depth, found.blocks, found.unfolded_blocks, found.unfolded_size) == (1000, 1001, MOST, MOST)


async def test_progress_is_told_in_bytes() -> None:
    root, blocks = file_blocks(varied(2_500), 100)
    rig, seen = await ArchiveRig().hold(blocks), list[int]()
    found = await rig.archives.stat(root, OFFLINE, lambda done, total: seen.append(done))
    assert seen[-1] == found.size


CIDS = [CID.of(bytes([number])) for number in range(9)]


@st.composite
def dags(draw: st.DrawFn) -> dict[CID, list[CID]]:
    return {
        cid: draw(st.lists(st.sampled_from(CIDS[number + 1 :]), max_size=4)) if number + 1 < len(CIDS) else []
        for number, cid in enumerate(CIDS)
    }


@given(dags())
def test_unfolding_any_dag(dag: dict[CID, list[CID]]) -> None:
    def unfolded(cid: CID) -> tuple[int, int]:
        below = [unfolded(link) for link in dag[cid]]
        return 1 + sum(blocks for blocks, _ in below), size_of(cid) + sum(size for _, size in below)

    def size_of(cid: CID) -> int:
        return CIDS.index(cid) + 1

    order = UnfoldingOrder(CIDS[0], bytes(16))
    while (cid := order.next()) is not None:
        order.take(size_of(cid), [link.buffer for link in dag[cid]])
    assert order.unfolded == unfolded(CIDS[0])


async def test_a_forged_loop_ends() -> None:
    class Forged:
        async def load(self, cids: list[CID], further: object) -> list[Loaded | None]:
            return [Loaded(b"x", [CIDS[0].buffer, CIDS[1].buffer]) for _ in cids]

    found = await DagMeasure(CIDS[0], Forged()).run()  # type: ignore[arg-type]
    assert found.blocks == 2


def test_the_plain_order_takes_no_notice() -> None:
    order = DepthFirst(CIDS[:1], bytes(16))
    order.next()
    order.take(None, [])
    assert order.next() is None


@pytest.mark.parametrize("options", [OFFLINE, ExportOptions(partial=True)])
def test_who_asks_no_peers(options: ExportOptions) -> None:
    assert not options.asks_peers
    assert ExportOptions().asks_peers
