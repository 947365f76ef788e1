"""The block protocol between real hosts: many at once, and answers that break off are never taken for whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from chiral.block.cid import CID
from chiral.errors import LimitExceededError, PeerUnreachableError, ProtocolError, RemoteError, StreamResetError
from chiral.exchange.client import BlockClient
from chiral.exchange.codec import PROTOCOL, answer_head, encode_request
from chiral.exchange.settings import MIB, ExchangeSettings
from chiral.host.addresses import parse_peer_address
from chiral.host.host import Host
from chiral.interface.peer import PeerInfo
from chiral.interface.streams import Stream
from tests.exchange.serving_node import ServingNode
from tests.host.child import child
from tests.host.running import acquainted, make_host, running, settled

ABSENT = CID.of(b"nobody holds this")
TEST_S = 60


@asynccontextmanager
async def exchanging(**settings: Any) -> AsyncIterator[tuple[BlockClient, Host, ServingNode]]:
    """A client, and the host and the node it asks."""
    asking, serving = make_host(1), make_host(2)
    node = ServingNode(**settings)
    node.server.attach(serving)
    with trio.fail_after(TEST_S):
        async with acquainted(asking, serving):
            yield BlockClient(asking, node.settings), serving, node


async def test_blocks_of_every_size_arrive_whole() -> None:
    async with exchanging() as (client, serving, node):
        root, manifest = await node.hold_file(b"one", b"two")
        assert await client.fetch(serving.local_peer, root, limit_bytes=2 * MIB) == manifest
        assert await client.fetch(serving.local_peer, ABSENT, limit_bytes=2 * MIB) is None
        for size in (0, 1, 256 * 1024, 256 * 1024 + 1, 2 * MIB):
            data = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
            cid = await node.hold(data)
            assert await client.fetch(serving.local_peer, cid, limit_bytes=2 * MIB) == data


async def test_20_clients_with_50_requests_each_get_the_blocks_they_asked_for() -> None:
    serving = make_host(250)
    clients = [make_host(number, listen=()) for number in range(20)]
    node = ServingNode()
    node.server.attach(serving)

    async def ask(client: Host, cid: CID, data: bytes) -> None:
        answer = await BlockClient(client, node.settings).fetch(serving.local_peer, cid, limit_bytes=2 * MIB)
        assert answer == data

    with trio.fail_after(TEST_S):
        async with running(serving, *clients), trio.open_nursery() as nursery:
            blocks = [b"block %d " % number * (1 + number * 31) for number in range(50)]
            held = [(await node.hold(data), data) for data in blocks]
            for client in clients:
                client.add_addrs(serving.local_peer, serving.listen_addrs(), ttl_s=60)
                for cid, data in held:
                    nursery.start_soon(ask, client, cid, data)
    assert node.server.blocks_sent == 1000


async def test_who_does_not_take_its_answers_keeps_nobody_from_theirs() -> None:
    greedy = make_host(3, listen=())
    async with (
        exchanging(max_serving_per_peer=10, max_serving_bytes_per_peer=8 * MIB) as (client, serving, node),
        greedy.run(),
    ):
        large, small = await node.hold(bytes(2 * MIB)), await node.hold(b"held")
        greedy.add_addrs(serving.local_peer, serving.listen_addrs(), ttl_s=60)
        for _ in range(12):
            stream = await greedy.open(serving.local_peer, [PROTOCOL])
            await stream.finish(encode_request(large))
        await settled(lambda: serving.streams_refused == 8)  # two for their number, six for their bytes
        assert await client.fetch(serving.local_peer, small, limit_bytes=100) == b"held"
        await greedy.disconnect(serving.local_peer)
        await settled(lambda: len(serving.connections()) == 1)
        assert await BlockClient(greedy, node.settings).fetch(serving.local_peer, small, limit_bytes=100) == b"held"


@pytest.mark.parametrize(
    ("said", "ends", "error"),
    [
        (answer_head(1000) + bytes(500), True, ProtocolError),
        (answer_head(1000) + bytes(500), False, StreamResetError),
        (answer_head(1000) + bytes(1000), False, StreamResetError),
        (b"", True, ProtocolError),
        (b"garbage", True, ProtocolError),
    ],
    ids=["half and an end", "half and a reset", "all and a reset", "nothing", "garbage"],
)
async def test_an_answer_that_is_not_whole_is_an_error_and_the_connection_lives(
    said: bytes, ends: bool, error: type[Exception]
) -> None:
    async def answer(stream: Stream) -> None:
        await stream.read_to_end(1024)
        await stream.write(said)
        if not ends:
            raise ProtocolError("enough")

    async with exchanging() as (client, serving, node):
        cid = await node.hold(b"held")
        serving.serve(PROTOCOL, answer)
        with pytest.raises(error):
            await client.fetch(serving.local_peer, ABSENT, limit_bytes=2 * MIB)
        node.server.attach(serving)
        assert await client.fetch(serving.local_peer, cid, limit_bytes=2 * MIB) == b"held"
        assert len(serving.connections()) == 1


async def test_33_mib_are_cut_off_and_the_connection_lives() -> None:
    ended: list[BaseException] = []

    async def pour(stream: Stream) -> None:
        await stream.read_to_end(1024)
        await stream.write(answer_head(33 * MIB))
        try:
            for _ in range(33):
                await stream.write(bytes(MIB))
        except RemoteError as error:
            ended.append(error)
            raise

    async with exchanging() as (client, serving, node):
        cid = await node.hold(b"held")
        serving.serve(PROTOCOL, pour)
        with pytest.raises(LimitExceededError):
            await client.fetch(serving.local_peer, ABSENT, limit_bytes=32 * MIB)
        with pytest.raises(LimitExceededError):
            await client.fetch(serving.local_peer, ABSENT, limit_bytes=2 * MIB)
        node.server.attach(serving)
        assert await client.fetch(serving.local_peer, cid, limit_bytes=2 * MIB) == b"held"
        assert ended, "the one who pours is told to stop"
        assert len(serving.connections()) == 1


async def test_a_provider_killed_in_the_middle_of_a_block_is_an_error() -> None:
    host = make_host(1)
    client = BlockClient(host, ExchangeSettings())
    with trio.fail_after(TEST_S):
        async with host.run(), child("tests.exchange.half_block") as victim:
            peer, addr = parse_peer_address((await victim.hear())["addr"])
            await host.connect(PeerInfo(peer, (addr,)))

            async def kill() -> None:
                assert await victim.hear() == {"event": "half"}
                victim.process.kill()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kill)
                with pytest.raises(StreamResetError):
                    await client.fetch(peer, ABSENT, limit_bytes=2 * MIB)
            with pytest.raises((PeerUnreachableError, StreamResetError)):
                await client.fetch(peer, ABSENT, limit_bytes=2 * MIB)
