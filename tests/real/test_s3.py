"""Blocks in a real S3 server: what every blockstore promises, whole nodes over it, and refusals as it words them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB, RAW
from chiral.errors import StoreError
from chiral.interface.blockstore import BlockstoreStats
from chiral.store.s3_blockstore import S3Blockstore
from chiral.store.s3_opening import open_s3_blocks
from chiral.store.settings import StoreSettings
from chiral.store.store import open_store
from interop.child import PeerError
from interop.python_peer import CommandError, PythonPeer, open_python_peer
from interop.versitygw import Server
from tests.contracts.blockstore import BlockstoreContract, numbered
from tests.fakes.memory_store import MemoryDatastore
from tests.real.gateway import BUCKET, client_of, settings_for

DEADLINE_S = 120


@pytest.fixture
async def blockstore(server: Server, tmp_path: Path) -> AsyncIterator[S3Blockstore]:
    async with open_s3_blocks(settings_for(server, prefix=prefix_of(tmp_path)), MemoryDatastore()) as blocks:
        yield blocks


def prefix_of(folder: Path) -> str:
    """A prefix that no other test has."""
    return f"{folder.parent.name}-{folder.name}"


class TestS3Blockstore(BlockstoreContract):
    pass


async def test_more_blocks_than_one_listing_gives(blockstore: S3Blockstore) -> None:
    codecs = (RAW, RAW, DAG_PB)
    blocks = [Block.of(b"block %d" % number, codecs[number % 3]) for number in range(780)]  # 1,040 objects
    size = sum(map(len, blocks))
    assert await blockstore.put_many(blocks) == 780
    assert await blockstore.stats() == BlockstoreStats(780, size)
    seen: list[CID] = []
    while page := await blockstore.page(seen[-1].multihash if seen else b""):
        seen += page
    assert seen == sorted((block.cid for block in blocks), key=lambda cid: cid.multihash)
    assert await blockstore.delete_many(seen[:700]) == 700
    assert await blockstore.page() == seen[700:]


async def test_the_bucket_alone_holds_the_blocks(server: Server, tmp_path: Path) -> None:
    settings = StoreSettings(blocks="s3", s3=settings_for(server, prefix=prefix_of(tmp_path)))
    blocks = numbered(30)
    async with open_store(tmp_path, settings) as store:
        await store.blocks.put_many(blocks)
    listed = client_of(server).list_objects_v2(Bucket=BUCKET, Prefix=f"{settings.s3.prefix}blocks/")
    names = [entry["Key"].removeprefix(f"{settings.s3.prefix}blocks/") for entry in listed["Contents"]]
    assert [name.replace("/", "") for name in names] == sorted(block.cid.multihash.hex() for block in blocks)
    async with open_store(tmp_path, settings) as store:
        assert await store.blocks.get_many([block.cid for block in blocks]) == [block.data for block in blocks]
        assert await store.blocks.stats() == BlockstoreStats(30, 3000)


async def test_two_data_directories_do_not_share_a_prefix(server: Server, tmp_path: Path) -> None:
    settings = settings_for(server, prefix=prefix_of(tmp_path))
    async with open_s3_blocks(settings, MemoryDatastore()):
        pass
    with pytest.raises(StoreError, match="another data directory"):
        async with open_s3_blocks(settings, MemoryDatastore()):
            pass


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"secret_key": "not-the-secret"}, "refuses the credentials"),
        ({"access_key": "nobody"}, "refuses the credentials"),
        ({"bucket": "no-such-bucket"}, "has no bucket no-such-bucket"),
        ({"endpoint": "http://127.0.0.1:1", "attempts": 1}, "cannot be reached"),
    ],
)
async def test_what_is_wrong_is_told_at_the_start(
    server: Server, tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        async with open_s3_blocks(settings_for(server, **changed), MemoryDatastore()):
            pass
    assert caught.value.hint
    assert server.secret_key not in str(caught.value)


@pytest.fixture
def environ(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings_for(server)
    for name, value in {
        "STORE__BLOCKS": "s3",
        "STORE__S3__ENDPOINT": given.endpoint,
        "STORE__S3__BUCKET": given.bucket,
        "STORE__S3__PREFIX": prefix_of(tmp_path),
        "STORE__S3__ACCESS_KEY": given.access_key,
        "STORE__S3__SECRET_KEY": given.secret_key.get_secret_value(),
    }.items():
        monkeypatch.setenv(f"CHIRAL_{name}", value)


async def test_a_node_killed_while_it_adds(server: Server, tmp_path: Path, environ: None) -> None:
    client = client_of(server)

    def listed() -> int:
        return int(client.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix_of(tmp_path)}/blocks/")["KeyCount"])

    whole, cut, out = (tmp_path / name for name in ("whole", "cut", "out"))
    whole.write_bytes(os.urandom(1 << 20))
    cut.write_bytes(os.urandom(32 << 20))
    (tmp_path / "node").mkdir()
    with trio.fail_after(DEADLINE_S):
        async with open_python_peer(tmp_path / "node", [], []) as node:
            cid = await node.add(whole)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(add_until_the_end, node, cut)
                while await trio.to_thread.run_sync(listed) < 20:
                    await trio.lowlevel.checkpoint()
                node.kill()
        async with open_python_peer(tmp_path / "node", [], []) as node:
            await node.get(cid, out, 60)
            assert out.read_bytes() == whole.read_bytes()
            assert [line["cid"] for line in await node.cli("ls")] == [cid]
            before = (await node.cli("stats"))[0]["blocks"]
            await node.cli("gc")
            after = (await node.cli("stats"))[0]["blocks"]
            assert after < 10 < before


async def add_until_the_end(node: PythonPeer, path: Path) -> None:
    """Add a file to a node that is about to be killed."""
    with pytest.raises(PeerError):
        await node.add(path)


async def test_a_node_over_an_object_store(server: Server, tmp_path: Path, environ: None) -> None:
    content = os.urandom(3 << 20)
    source, out = tmp_path / "source", tmp_path / "out"
    (tmp_path / "node").mkdir()
    source.write_bytes(content)
    with trio.fail_after(DEADLINE_S):
        async with open_python_peer(tmp_path / "node", [], []) as node:
            cid = await node.add(source)
        async with open_python_peer(tmp_path / "node", [], []) as node:  # started again, with nothing cached
            fetched = await node.get(cid, out, 60)
            assert out.read_bytes() == content
            assert fetched.size == len(content)
            shown = await node.cli("config", "show")
            assert server.secret_key not in str(shown)
            await node.cli("rm", cid)
            with pytest.raises(CommandError):
                await node.get(cid, tmp_path / "gone", 3)
    assert server.secret_key not in (tmp_path / "node" / "log").read_text()
