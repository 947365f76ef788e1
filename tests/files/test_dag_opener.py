"""Reading files out of DAGs, from here and from peers: whole, in parts, by paths, ahead, and against every lie."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.dag.dag_pb import PbLink, decode_node, encode_node
from chiral.dag.dag_profile import DagChild, DagProfile, file_node
from chiral.dag.file_info import FileInfo
from chiral.dag.unixfs import NodeType, UnixFsData, encode_unixfs
from chiral.errors import (
    ChiralError,
    IntegrityError,
    InvalidCidError,
    MalformedContentError,
    NotFoundError,
    RequestTimeoutError,
)
from chiral.files.dag_opener import IsDirectoryError, NotFileError
from chiral.files.span import Span
from tests.fakes.exchange import ScriptedPeer, lacking, lying, stalling
from tests.files.rig import Content, Rig, read_all
from tests.files.trees import CHUNK_BYTES, PROFILE, Dag

TIMEOUT_S = 5.0
DATA = random.Random(3).randbytes(200_500)
TREE = {"a": DATA, "d": {"b": b"b" * 3000, "c": b"", "l": "b"}, "e": b"e"}


def providing(dag: Dag, *peers: ScriptedPeer) -> Rig:
    rig = Rig(*peers)
    rig.scripted.routing.knows(dag.root, *peers)
    return rig


async def read(rig: Rig, cid: CID, path: str = "", span: Span | None = None) -> bytes:
    parts = path.split("/") if path else []
    async with rig.files.open(cid, timeout_s=TIMEOUT_S, path=parts, span=span or Span()) as reader:
        return await read_all(reader)


class TestFetched:
    @pytest.mark.parametrize("size", [0, 1, 1024, 1025, 200_500])
    @pytest.mark.parametrize("layout", ["balanced", "trickle"])
    async def test_a_file_is_here_afterwards_under_both_roots(self, size: int, layout: str) -> None:
        dag = Dag(DATA[:size], DagProfile(width=6, layout=layout))  # type: ignore[arg-type]
        peer = dag.at(1)
        rig = providing(dag, peer)
        async with rig.files.open(dag.root, timeout_s=TIMEOUT_S) as reader:
            assert reader.size == size
            assert await read_all(reader) == DATA[:size]
            assert reader.providers == 1
        if dag.root.codec != DAG_PB:
            return
        chunks = [CID.of(DATA[at : min(at + CHUNK_BYTES, size)]) for at in range(0, size, CHUNK_BYTES)]
        chiral = FileInfo.of("", size, chunks, 0).root_cid
        record = await rig.files.record(dag.root)
        assert record is not None
        assert (record.root, record.dag_root, record.size, record.kind) == (chiral, dag.root, size, "file")
        assert rig.announcer.told == [("fetched", chiral), ("fetched", dag.root)]
        peer.conduct = lacking
        assert await read(rig, dag.root) == await read(rig, chiral) == DATA[:size]
        assert len(rig.announcer.told) == 2

    async def test_a_file_whose_leaves_are_no_chunks_has_a_dag_alone(self) -> None:
        dag = Dag(DATA, DagProfile(width=6, raw_leaves=False, cid_version=0))
        rig = providing(dag, dag.at(1))
        assert await read(rig, dag.root) == DATA
        record = await rig.files.record(dag.root)
        assert record is not None
        assert (record.root, record.dag_root, record.size) == (dag.root, dag.root, len(DATA))

    async def test_every_block_is_asked_for_once(self) -> None:
        dag = Dag(DATA)
        peer = dag.at(1, latency_s=0.001)
        assert await read(providing(dag, peer), dag.root) == DATA
        assert len(peer.asked) == len(set(peer.asked)) == len(dag.blocks)

    async def test_many_are_asked_for_at_once(self) -> None:
        dag = Dag(DATA, DagProfile(width=200))
        peer = dag.at(1, latency_s=0.01)
        assert await read(providing(dag, peer), dag.root) == DATA
        assert 32 <= peer.most_in_flight <= 128

    async def test_blocks_that_are_here_are_not_fetched(self) -> None:
        dag = Dag(DATA)
        peer = dag.at(1)
        rig = providing(dag, peer)
        here = list(dag.blocks.values())[: len(dag.blocks) // 2]
        await rig.blocks.put_many(here)
        assert await read(rig, dag.root) == DATA
        assert not {block.cid for block in here} & set(peer.asked)

    async def test_a_root_that_is_here_alone_is_completed(self) -> None:
        dag = Dag(DATA)
        rig = providing(dag, dag.at(1))
        await rig.blocks.put_many([dag.blocks[dag.root]])
        assert await read(rig, dag.root) == DATA
        assert await rig.files.record(dag.root) is not None

    async def test_blocks_of_equal_bytes(self) -> None:
        data = bytes(100 * CHUNK_BYTES)
        dag = Dag(data)
        peer = dag.at(1)
        assert await read(providing(dag, peer), dag.root) == data
        assert len(peer.asked) == len(dag.blocks)

    async def test_from_two_of_whom_each_has_a_half(self) -> None:
        dag = Dag(DATA)
        blocks = list(dag.blocks.values())
        one = ScriptedPeer(1).hold([*blocks[: len(blocks) // 2], dag.blocks[dag.root]])
        two = ScriptedPeer(2).hold([*blocks[len(blocks) // 2 :], dag.blocks[dag.root]])
        assert await read(providing(dag, one, two), dag.root) == DATA


class TestParts:
    @pytest.mark.parametrize(
        "span", [Span(0, 1), Span(1023, 1025), Span(100_000, 100_010), Span(-10), Span(5, 5), Span(300_000), Span(7)]
    )
    async def test_of_a_dag(self, span: Span) -> None:
        dag = Dag(DATA)
        peer = dag.at(1)
        rig = providing(dag, peer)
        start, stop = span.within(len(DATA))
        assert await read(rig, dag.root, span=span) == DATA[start:stop]
        if stop - start < CHUNK_BYTES:
            assert len(peer.asked) < 10
        if start:
            assert await rig.catalogue.count() == 0

    @pytest.mark.parametrize("span", [Span(0, 1), Span(1023, 1025), Span(100_000, 100_010), Span(-10), Span(5, 5)])
    @pytest.mark.parametrize("held", [True, False])
    async def test_of_a_file_in_the_flat_layout(self, span: Span, held: bool) -> None:
        content = Content(200_500)
        peer = content.at(1)
        rig = Rig(peer).publish(content, peer)
        if held:
            await rig.hold(content)
        start, stop = span.within(200_500)
        assert await read(rig, content.root, span=span) == content.data[start:stop]
        assert len(peer.asked) == 0 if held else len(peer.asked) <= 6

    async def test_of_a_file_cut_by_content(self) -> None:
        """Nothing tells where its chunks begin before they are here; then everything does."""
        content = Content(10_000)
        cuts = [0, 100, 1900, 2000, 7000, 10_000]
        blocks = [Block.of(content.data[a:b]) for a, b in pairwise(cuts)]
        info = FileInfo.of("f", 10_000, [block.cid for block in blocks], 0)
        peer = ScriptedPeer(1).hold(blocks).hold_manifest(info.root_cid, info.to_json())
        rig = Rig(peer)
        rig.scripted.routing.knows(info.root_cid, peer)
        for _ in range(2):
            assert await read(rig, info.root_cid, span=Span(1950, 7001)) == content.data[1950:7001]

    async def test_chunks_that_only_look_even(self) -> None:
        """First and last fit the size, one between does not: an error, never other bytes."""
        content = Content(5 * 1024)
        cuts = [0, 1024, 2000, 3072, 4096, 5120]
        blocks = [Block.of(content.data[a:b]) for a, b in pairwise(cuts)]
        info = FileInfo.of("f", 5120, [block.cid for block in blocks], 0)
        peer = ScriptedPeer(1).hold(blocks).hold_manifest(info.root_cid, info.to_json())
        rig = Rig(peer)
        rig.scripted.routing.knows(info.root_cid, peer)
        with pytest.raises(IntegrityError, match="neighbours"):
            await read(rig, info.root_cid, span=Span(1500, 1600))

    async def test_of_a_single_block(self) -> None:
        rig = Rig()
        block = Block.of(b"0123456789")
        await rig.blocks.put_many([block])
        assert await read(rig, block.cid, span=Span(2, 5)) == b"234"


class TestPaths:
    async def test_what_a_path_leads_to(self) -> None:
        dag = Dag(TREE)
        rig = providing(dag, dag.at(1))
        assert await read(rig, dag.root, "a") == DATA
        assert await read(rig, dag.root, "d/b") == b"b" * 3000
        assert await read(rig, dag.root, "d/c") == b""
        assert await read(rig, dag.root, "e", Span(0, 1)) == b"e"

    @pytest.mark.parametrize("path", ["x", "d/x", "a/b", "d/b/c"])
    async def test_a_path_that_leads_nowhere(self, path: str) -> None:
        dag = Dag(TREE)
        with pytest.raises(NotFoundError):
            await read(providing(dag, dag.at(1)), dag.root, path)

    @pytest.mark.parametrize(
        ("path", "error"), [("", IsDirectoryError), ("d", IsDirectoryError), ("d/l", NotFileError)]
    )
    async def test_what_is_no_file(self, path: str, error: type[ChiralError]) -> None:
        dag = Dag(TREE)
        with pytest.raises(error):
            await read(providing(dag, dag.at(1)), dag.root, path)

    async def test_below_a_file_there_is_nothing(self) -> None:
        content = Content(2000)
        rig = await Rig().hold(content)
        with pytest.raises(NotFoundError):
            await read(rig, content.root, "x")

    async def test_the_root_of_a_flat_file_is_no_dag(self) -> None:
        content = Content(2000)
        rig = await Rig().hold(content)
        with pytest.raises(InvalidCidError):
            async with rig.dags.open(content.root, (), timeout_s=1.0):
                pytest.fail("opened")

    async def test_a_large_sharded_directory(self) -> None:
        tree = {f"name {number}": b"%d" % number for number in range(400)}
        dag = Dag(tree, DagProfile(shard_bytes=0, fanout=8))
        peer = dag.at(1)
        rig = providing(dag, peer)
        assert await read(rig, dag.root, "name 399") == b"399"
        assert len(peer.asked) < 10
        async with rig.files.listing(dag.root, timeout_s=TIMEOUT_S) as entries:
            found = {entry.name: entry.size async for entry in entries}
        assert found == {name: len(data) for name, data in tree.items()}


class TestListings:
    async def test_kinds_and_sizes(self) -> None:
        dag = Dag(TREE)
        rig = providing(dag, dag.at(1))
        async with rig.files.listing(dag.root, timeout_s=TIMEOUT_S) as entries:
            found = [(entry.name, entry.kind, entry.size) async for entry in entries]
        assert found == [("a", "file", len(DATA)), ("d", "directory", 0), ("e", "file", 1)]
        async with rig.files.listing(dag.root, timeout_s=TIMEOUT_S, path=["d"]) as entries:
            found = [(entry.name, entry.kind, entry.size) async for entry in entries]
        assert found == [("b", "file", 3000), ("c", "file", 0), ("l", "symlink", 1)]
        assert await rig.catalogue.count() == 0

    async def test_of_a_file(self) -> None:
        dag = Dag(TREE)
        with pytest.raises(ChiralError) as raised:
            async with providing(dag, dag.at(1)).files.listing(dag.root, timeout_s=TIMEOUT_S, path=["a"]):
                pytest.fail("listed")
        assert raised.value.code == "not_directory"
        with pytest.raises(NotFoundError):
            async with Rig().files.listing(CID.of(b"x"), timeout_s=TIMEOUT_S):
                pytest.fail("listed")


def forged(dag: Dag, data: UnixFsData, links: list[PbLink]) -> CID:
    block = PROFILE.node(encode_unixfs(data), links)
    dag.keep(block)
    return block.cid


class TestLies:
    async def test_a_peer_that_answers_with_other_bytes(self) -> None:
        dag = Dag(DATA)
        liar, other = dag.at(1), dag.at(2)
        rig = providing(dag, liar, other)
        await rig.blocks.put_many([dag.blocks[dag.root]])
        liar.conduct = lying
        assert await read(rig, dag.root) == DATA
        alone = providing(dag, liar)
        await alone.blocks.put_many([dag.blocks[dag.root]])
        with pytest.raises(IntegrityError):
            await read(alone, dag.root)

    async def test_a_node_whose_bytes_point_back_at_itself(self) -> None:
        """A peer that answers for a child with its parent: the bytes are not the child's, so there is no way round."""
        dag = Dag(DATA)
        root = dag.blocks[dag.root]
        child = decode_node(bytes(root.data)).links[0].cid

        async def looping(cid: CID, held: bytes | None) -> bytes | None:
            return bytes(root.data) if cid == child else held

        rig = providing(dag, dag.at(1, looping))
        with pytest.raises(IntegrityError):
            await read(rig, dag.root)

    @pytest.mark.parametrize("claimed", [0, 1, 1023, 1025, 1 << 40, (1 << 63) - 1])
    async def test_sizes_that_lie(self, claimed: int) -> None:
        dag = Dag(b"")
        leaf = Block.of(DATA[:1024])
        dag.keep(leaf)
        data = UnixFsData(NodeType.FILE, None, claimed, (claimed,))
        root = forged(dag, data, [PbLink(leaf.cid, "", 1024)])
        rig = Rig()
        await rig.blocks.put_many(dag.blocks.values())
        if claimed == 0:
            assert await read(rig, root) == b""
        else:
            with pytest.raises(MalformedContentError):
                await read(rig, root)
        assert await rig.catalogue.count() == 0

    async def test_a_chain_without_end(self) -> None:
        dag = Dag(b"")
        block = Block.of(DATA[:10])
        dag.keep(block)
        child = DagChild(block.cid, 10, 10)
        for _ in range(10_000):
            node, child = file_node(PROFILE, [child])
            dag.keep(node)
        rig = Rig()
        await rig.blocks.put_many(dag.blocks.values())
        with pytest.raises(MalformedContentError, match="deeper"):
            await read(rig, child.cid)

    async def test_what_is_no_unixfs(self) -> None:
        dag = Dag(b"")
        block = Block.of(encode_node([], b"no unixfs"), DAG_PB)
        dag.keep(block)
        rig = Rig()
        await rig.blocks.put_many([block])
        with pytest.raises(MalformedContentError):
            await read(rig, block.cid)

    async def test_a_block_that_rotted_here(self) -> None:
        dag = Dag(DATA)
        rig = Rig()
        for cid, block in dag.blocks.items():
            bad = cid == CID.of(DATA[5 * CHUNK_BYTES : 6 * CHUNK_BYTES])
            await rig.blocks.put_many([Block(cid, b"rotten") if bad else block])
        with pytest.raises(IntegrityError, match="damaged"):
            await read(rig, dag.root)

    async def test_a_peer_that_falls_silent(self) -> None:
        dag = Dag(DATA)
        peer = dag.at(1)
        rig = providing(dag, peer)
        await rig.blocks.put_many([dag.blocks[dag.root]])
        peer.conduct = stalling
        with pytest.raises(RequestTimeoutError):
            async with rig.files.open(dag.root, timeout_s=0.2) as reader:
                await read_all(reader)

    async def test_nobody_has_a_block(self) -> None:
        dag = Dag(DATA)
        dag.blocks.pop(CID.of(DATA[5 * CHUNK_BYTES : 6 * CHUNK_BYTES]))
        rig = providing(dag, dag.at(1))
        with pytest.raises(NotFoundError):
            await read(rig, dag.root)
        assert await rig.catalogue.count() == 0

    async def test_giving_up_ends_the_fetch(self) -> None:
        dag = Dag(DATA)
        peer = dag.at(1, latency_s=0.05)
        rig = providing(dag, peer)
        with trio.move_on_after(0.2) as scope:
            await read(rig, dag.root)
        assert scope.cancelled_caught
        assert peer.in_flight == 0
