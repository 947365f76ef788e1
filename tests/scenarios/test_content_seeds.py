"""The tests of content and storage that seeds 000 and 003 (phase 1B) name, with a whole node over a store on the disk.

Those of injected errors stand beside what they inject them into.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.chunker.adaptive import AdaptiveChunker
from chiral.chunker.fixed import DEFAULT_CHUNK_BYTES
from chiral.dag.dag_pb import decode_node
from chiral.errors import IntegrityError, NotFoundError
from chiral.files.add_options import AddOptions
from chiral.files.library import Description
from chiral.files.results import FileAdded
from chiral.interface.catalogue import FileQuery
from chiral.node.node import Node
from tests.scenarios.swarm import DEADLINE_S, add, random_file, running, sha256_of

KIB_BYTES, MIB_BYTES, GIB_BYTES = 1 << 10, 1 << 20, 1 << 30
LARGE_BYTES = int(os.environ.get("CHIRAL_LARGE_FILE_MIB", "16")) * MIB_BYTES
"""The seed's 256 MiB take a few seconds more and show nothing else."""


async def chunks(node: Node, added: FileAdded) -> list[tuple[CID, int]]:
    return await node.files.chunks(added.root)


async def read(node: Node, cid: CID) -> bytes:
    with trio.fail_after(DEADLINE_S):
        async with node.files.open(cid, timeout_s=1) as reader:
            return b"".join([bytes(part) async for part in reader])


async def state(node: Node, cid: CID) -> str:
    return (await node.library.viewer.view(cid)).state


# Seed 000: content


async def test_cid_generation(tmp_path: Path) -> None:
    """Seed 000: a block's CID is that of its bytes, a file's the same on every node."""
    file = random_file(tmp_path / "file", 300 * KIB_BYTES)
    async with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        added = await add(one, file)
        assert (await add(two, file)).root == added.root
        first, second = await chunks(one, added)
        data = file.read_bytes()
        assert (first[0], second[0]) == (CID.of(data[: 256 * KIB_BYTES]), CID.of(data[256 * KIB_BYTES :]))
        once = hashlib.sha256(first[0].buffer + second[0].buffer).digest()
        assert added.root == CID.of(once)


async def test_chunking(tmp_path: Path) -> None:
    """Seed 000: a file is cut every 256 KiB, the rest is the last chunk."""
    async with running(tmp_path / "node") as node:
        added = await add(node, random_file(tmp_path / "file", 600 * KIB_BYTES))
        assert [size for _, size in await chunks(node, added)] == [256 * KIB_BYTES, 256 * KIB_BYTES, 88 * KIB_BYTES]


async def test_dag_construction(tmp_path: Path) -> None:
    """Seed 000: the nodes of a file's DAG lead to its chunks in order, 174 at most from each."""
    options = AddOptions.named(chunker="size-1024")
    async with running(tmp_path / "node") as node:
        file = random_file(tmp_path / "file", 400 * KIB_BYTES)
        added = await node.files.add_path(file, options=options)
        assert added.dag_root is not None
        assert added.dag_root.codec == DAG_PB
        leaves: list[CID] = []
        waiting = [added.dag_root]
        while waiting:
            cid = waiting.pop()
            if cid.codec != DAG_PB:
                leaves.append(cid)
                continue
            data = await node.blockstore.get(cid)
            assert data is not None
            links = [link.cid for link in decode_node(data).links]
            assert len(links) <= 174
            waiting += reversed(links)
        assert leaves == [cid for cid, _ in await chunks(node, added)]
        assert await read(node, added.dag_root) == file.read_bytes()


async def test_cid_verification(tmp_path: Path) -> None:
    """Seed 000: bytes that a CID does not name are never handed out under it."""
    async with running(tmp_path / "node") as node:
        added = await add(node, random_file(tmp_path / "file", 300 * KIB_BYTES))
        await _spoil(node, (await chunks(node, added))[1][0])
        with pytest.raises(IntegrityError):
            await read(node, added.root)


# Seed 000: storage


async def test_blockstore_operations(tmp_path: Path) -> None:
    """Seed 000: blocks are put, got, counted and deleted."""
    async with running(tmp_path / "node") as node:
        block = Block.of(b"a block")
        assert await node.blockstore.put_many([block]) == 1
        assert await node.blockstore.put_many([block]) == 0
        assert await node.blockstore.get(block.cid) == block.data
        assert (await node.blockstore.stats()).blocks == 1
        assert await node.blockstore.delete_many([block.cid]) == 1
        assert await node.blockstore.get(block.cid) is None


async def test_metadata_storage(tmp_path: Path) -> None:
    """Seed 000: name, size, type, times, tags and lifetime of a file are kept and found again after a restart."""
    file = random_file(tmp_path / "photo.png", 1000)
    async with running(tmp_path / "node") as node:
        added = await add(node, file)
        said = Description(tags=["red"], lifetime_s=86_400, version_of="photo")
        described, _ = await node.library.describe(added.root, said)
    async with running(tmp_path / "node") as node:
        record = await node.catalogue.get(added.root)
        assert record == described
        assert record is not None
        assert (record.name, record.size, record.mime, record.tags) == ("photo.png", 1000, "image/png", ("red",))
        assert record.expires_at is not None
        assert record.dag_root == added.dag_root
        assert await node.catalogue.search(FileQuery("photo", "image/png", ("red",))) == [record]
        assert await node.library.versions.resolve("photo@1") == added.root


async def test_pinning(tmp_path: Path) -> None:
    """Seed 000: what is pinned stays when what nothing keeps is collected."""
    async with running(tmp_path / "node") as node:
        kept, loose = Block.of(b"kept"), Block.of(b"loose")
        await node.blockstore.put_many([kept, loose])
        await node.pinner.add(kept.cid, timeout_s=5)
        async for _ in node.collector.collect():
            pass
        assert await node.blockstore.has_many([kept.cid, loose.cid]) == [True, False]


# Seed 003, phase 1B


async def test_large_file_chunking(tmp_path: Path) -> None:
    """Seed 003: a large file comes out as it went in."""
    file = random_file(tmp_path / "large", LARGE_BYTES)
    async with running(tmp_path / "node") as node:
        added = await add(node, file)
        assert added.chunks == LARGE_BYTES // DEFAULT_CHUNK_BYTES
        with trio.fail_after(4 * DEADLINE_S):
            await node.files.save(added.root, tmp_path / "copy", overwrite=False, timeout_s=5)
        assert await state(node, added.root) == "whole"
    assert sha256_of(tmp_path / "copy") == sha256_of(file)


async def test_empty_file(tmp_path: Path) -> None:
    """Seed 003: a file of nothing has no chunks and is a file all the same."""
    async with running(tmp_path / "node") as node:
        added = await add(node, random_file(tmp_path / "empty", 0))
        assert (added.size, added.chunks) == (0, 0)
        assert await read(node, added.root) == b""
        assert await state(node, added.root) == "whole"


async def test_single_chunk_file(tmp_path: Path) -> None:
    """Seed 003: a file smaller than a chunk is one chunk."""
    file = random_file(tmp_path / "small", 1000)
    async with running(tmp_path / "node") as node:
        added = await add(node, file)
        assert await chunks(node, added) == [(CID.of(file.read_bytes()), 1000)]
        assert await read(node, added.root) == file.read_bytes()


async def test_exact_block_size_file(tmp_path: Path) -> None:
    """Seed 003: a file of exactly one chunk has no empty one after it."""
    async with running(tmp_path / "node") as node:
        added = await add(node, random_file(tmp_path / "exact", DEFAULT_CHUNK_BYTES))
        assert [size for _, size in await chunks(node, added)] == [DEFAULT_CHUNK_BYTES]


async def test_cleanup_removes_all_files(tmp_path: Path) -> None:
    """Seed 003: stored, removed, and nothing is left of it."""
    async with running(tmp_path / "node") as node:
        added = await add(node, random_file(tmp_path / "file", MIB_BYTES))
        await node.files.remove(added.root)
        assert await node.catalogue.count() == 0
        assert (await node.blockstore.stats()).blocks == 0
        with pytest.raises(NotFoundError):
            await node.files.chunks(added.root)


async def test_key_store_persistence(tmp_path: Path) -> None:
    """Seed 003: what was stored is there after a restart."""
    file = random_file(tmp_path / "file", MIB_BYTES)
    async with running(tmp_path / "node") as node:
        added = await add(node, file)
    async with running(tmp_path / "node") as node:
        assert await read(node, added.root) == file.read_bytes()


async def test_store_file_local_and_load_and_store_file_local_produce_same_keys(tmp_path: Path) -> None:
    """Seed 003: a file read from its path and the same bytes sent as a stream have the same names."""
    file = random_file(tmp_path / "file", MIB_BYTES + 5)
    async with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        added = await add(one, file)
        async with await trio.open_file(file, "rb") as stream:
            sent = await two.files.add_stream(stream, name="file")
        assert (sent.root, sent.dag_root) == (added.root, added.dag_root)
        assert await chunks(two, sent) == await chunks(one, added)


async def test_chunk_corruption_detected(tmp_path: Path) -> None:
    """Seed 003: a chunk that rots in the store is named, and the file is not handed out."""
    async with running(tmp_path / "node") as node:
        added = await add(node, random_file(tmp_path / "file", MIB_BYTES))
        chunk = (await chunks(node, added))[2][0]
        await _spoil(node, chunk)
        view = await node.library.viewer.view(added.root)
        assert (view.state, view.check.damaged) == ("damaged", [chunk])
        with pytest.raises(IntegrityError):
            await read(node, added.root)


async def test_load_and_store_file_local_prunes_dead_local_cache_entry(tmp_path: Path) -> None:
    """Seed 003: a catalogue entry whose blocks are gone does not keep the file from being stored again."""
    file = random_file(tmp_path / "file", MIB_BYTES)
    async with running(tmp_path / "node") as node:
        added = await add(node, file)
        await node.blockstore.delete_many([cid for cid, _ in await chunks(node, added)])
        assert await state(node, added.root) == "missing"
        assert (await add(node, file)).new_blocks == 4
        assert await state(node, added.root) == "whole"


async def test_init_key_store_does_not_prune_storage_on_startup(tmp_path: Path) -> None:
    """Seed 003: starting removes nothing, not even an entry whose blocks are gone, nor blocks of no file."""
    async with running(tmp_path / "node") as node:
        added = await add(node, random_file(tmp_path / "file", MIB_BYTES))
        loose = Block.of(b"of no file")
        await node.blockstore.put_many([loose])
        await node.blockstore.delete_many([(await chunks(node, added))[0][0]])
        before = await node.blockstore.stats()
    async with running(tmp_path / "node") as node:
        assert await node.blockstore.stats() == before
        assert await node.blockstore.get(loose.cid) == loose.data
        assert await node.catalogue.get(added.root) is not None


async def test_load_and_store_file_local_reuploads_missing_data_after_restart(tmp_path: Path) -> None:
    """Seed 003: blocks that were lost between two runs come back when the file is added again."""
    file = random_file(tmp_path / "file", MIB_BYTES)
    async with running(tmp_path / "node") as node:
        added = await add(node, file)
        await node.blockstore.delete_many([(await chunks(node, added))[1][0]])
    async with running(tmp_path / "node") as node:
        assert (await add(node, file)).new_blocks == 1
        assert await read(node, added.root) == file.read_bytes()


@pytest.mark.parametrize(
    ("size", "chunk"),
    [
        (0, 256 * KIB_BYTES),
        (512 * MIB_BYTES, 256 * KIB_BYTES),
        (512 * MIB_BYTES + 1, 512 * KIB_BYTES),
        (GIB_BYTES + 1, MIB_BYTES),
        (1 << 50, MIB_BYTES),
    ],
)
def test_promote_candidate_block_size(size: int, chunk: int) -> None:
    """Seed 003: larger files have larger chunks, and a guard: never over 1 MiB."""
    assert AdaptiveChunker().for_size(size).size == chunk


async def test_calculate_block_size_promotion_integration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 003: the promotion decides how a file that is added is cut (its threshold lowered here to 8 chunks)."""
    monkeypatch.setattr("chiral.chunker.adaptive.PROMOTED_BLOCKS", 8)
    options = AddOptions.named(chunker="adaptive")
    async with running(tmp_path / "node") as node:
        for size, expected in ((2, 256 * KIB_BYTES), (4, 512 * KIB_BYTES), (9, MIB_BYTES), (20, MIB_BYTES)):
            file = random_file(tmp_path / f"{size} MiB", size * MIB_BYTES)
            added = await node.files.add_path(file, options=options)
            assert (await chunks(node, added))[0][1] == expected


async def _spoil(node: Node, cid: CID) -> None:
    """Have other bytes under a CID in the store."""
    await node.blockstore.delete_many([cid])
    await node.blockstore.put_many([Block(cid, b"rotten")])
