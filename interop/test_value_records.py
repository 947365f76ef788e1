"""Value records between Chiral nodes and a Rust or Go peer, which alone keeps what one node puts until another asks.

The peers need no command for it: they keep and tell what their libraries do. Go's takes name space `pk` and no other.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from chiral.block.cid import CID
from chiral.config.model import NodeConfig
from chiral.dag.file_info import FileInfo
from chiral.dag.metadata_record import FileMetadata
from chiral.dag.metadata_validator import issue, metadata_key
from chiral.host.identity import load_identity
from chiral.host.settings import HostSettings
from chiral.host.signing import KeySigner
from chiral.interface.peer import PeerId
from chiral.interface.values import QuorumError
from chiral.kad.public_key_record import public_key_key
from chiral.node.node import Node
from chiral.store.settings import StoreSettings
from interop.kinds import BUILT, Kind
from interop.peers import open_peer

DEADLINE_S = 30.0


@asynccontextmanager
async def joined(folder: Path, bootstrap: str) -> AsyncIterator[Node]:
    """A node that knows `bootstrap` alone, once that is in its routing table."""
    config = NodeConfig(
        data_dir=folder,
        bootstrap=(bootstrap,),
        host=HostSettings(listen=("/ip4/127.0.0.1/tcp/0",)),
        store=StoreSettings(durable=False),
    )
    async with Node(config) as node:
        with trio.fail_after(DEADLINE_S):
            while not (await node.routing.stats()).peers:  # noqa: ASYNC110
                await trio.sleep(0.02)
        yield node


def public_key(folder: Path) -> bytes:
    return bytes(load_identity(folder).public_key.serialize())


@pytest.mark.parametrize("kind", BUILT)
async def test_a_public_key_stands_at_the_peer(kind: Kind, tmp_path: Path, need: Callable[..., None]) -> None:
    need(kind)
    async with open_peer(kind, tmp_path / "peer") as peer:
        async with joined(tmp_path / "putter", peer.addrs[0]) as putter:
            key, value = public_key_key(putter.peer_id), public_key(tmp_path / "putter")
            with trio.fail_after(DEADLINE_S):
                put = await putter.routing.put_record(key, value, quorum="all")
            assert (put.asked, put.stored) == (1, 1)
        async with joined(tmp_path / "getter", peer.addrs[0]) as getter:
            with trio.fail_after(DEADLINE_S):
                found = await getter.routing.get_record(key, quorum="all")
            assert found is not None
            assert (found.value, found.answers) == (value, 1)


@pytest.mark.parametrize("kind", BUILT)
async def test_metadata_stands_at_rust_peers_and_go_refuses_it(
    kind: Kind, tmp_path: Path, need: Callable[..., None]
) -> None:
    need(kind)
    async with open_peer(kind, tmp_path / "peer") as peer:
        async with joined(tmp_path / "putter", peer.addrs[0]) as putter:
            signer = KeySigner(load_identity(tmp_path / "putter"))
            info = FileInfo.of("empty", 0, [], 1)
            key, value = metadata_key(info.root_cid), issue(FileMetadata(info), signer, putter.started_at)
            with trio.fail_after(DEADLINE_S):
                if kind is Kind.GO:
                    with pytest.raises(QuorumError, match="0 of 1"):
                        await putter.routing.put_record(key, value)
                    return
                assert (await putter.routing.put_record(key, value)).stored == 1
        async with joined(tmp_path / "getter", peer.addrs[0]) as getter:
            with trio.fail_after(DEADLINE_S):
                found = await getter.routing.get_record(key, quorum="all")
            assert found is not None
            assert found.value == value


@pytest.mark.parametrize("kind", list(Kind)[1:])
async def test_many_records_published_behind(kind: Kind, tmp_path: Path, need: Callable[..., None]) -> None:
    """Many PUT_VALUEs go in one stream: Rust peers keep them all; Go's are asked a few times and then left alone."""
    need(kind)
    async with open_peer(kind, tmp_path / "peer") as peer:
        async with joined(tmp_path / "putter", peer.addrs[0]) as putter:
            signer = KeySigner(load_identity(tmp_path / "putter"))
            infos = [FileInfo.of("f", 1, [CID.of(b"%d" % number)], 1) for number in range(100)]
            records = {metadata_key(i.root_cid): issue(FileMetadata(i), signer, putter.started_at) for i in infos}
            await putter.routing.publish_records(records)
            if kind is Kind.GO:
                go, sender = PeerId.parse(peer.peer_id), putter.routing._values.sender
                with trio.fail_after(DEADLINE_S):
                    while not sender.refuses(go, next(iter(records))):  # noqa: ASYNC110
                        await trio.sleep(0.02)
                assert peer.peer_id in [str(info.peer) for info in await putter.routing.closest_peers(b"any")]
                return
            own = putter.routing._values.own
            with trio.fail_after(DEADLINE_S):
                while own.due(time.time(), 1):  # noqa: ASYNC110
                    await trio.sleep(0.02)
        async with joined(tmp_path / "getter", peer.addrs[0]) as getter:
            with trio.fail_after(DEADLINE_S):
                for key, value in records.items():
                    found = await getter.routing.get_record(key)
                    assert found is not None
                    assert found.value == value
