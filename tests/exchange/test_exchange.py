"""Client and server of the block protocol: what is answered, what is refused, and deadlines on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chiral.block.cid import CID
from chiral.errors import LimitExceededError, ProtocolError, RequestTimeoutError, StoreError, StreamResetError
from chiral.events.types import BlockSent
from chiral.exchange.client import BlockClient
from chiral.exchange.codec import PROTOCOL, answer_head, encode_request
from chiral.exchange.settings import MIB
from chiral.interface.streams import Stream
from tests.exchange.serving_node import ServingNode
from tests.fakes.streams import FakeSwarm

ABSENT = CID.of(b"nobody holds this")


class Pair:
    """A node that asks and one that serves, on a network in memory."""

    def __init__(self, swarm: FakeSwarm, **settings: Any) -> None:
        self.swarm = swarm
        self.asking, self.serving = swarm.node(1), swarm.node(2)
        self.node = ServingNode(**settings)
        self.node.server.attach(self.serving)
        self.client = BlockClient(self.asking, self.node.settings)

    @property
    def peer(self) -> Any:
        return self.serving.local_peer

    async def fetch(self, cid: CID, limit_bytes: int = 2 * MIB) -> bytes | None:
        answer = await self.client.fetch(self.peer, cid, limit_bytes=limit_bytes)
        return None if answer is None else bytes(answer)

    async def say(self, request: bytes) -> bytes:
        return await self.asking.request(self.peer, PROTOCOL, request, limit_bytes=2 * MIB)


@asynccontextmanager
async def pair(**settings: Any) -> AsyncIterator[Pair]:
    async with trio.open_nursery() as nursery:
        swarm = FakeSwarm(nursery)
        two = Pair(swarm, **settings)
        two.asking.add_addrs(two.peer, two.serving.listen_addrs(), ttl_s=1e6)
        yield two
        nursery.cancel_scope.cancel()


async def test_a_block_is_answered_whole_and_told(autojump_clock: MockClock) -> None:
    async with pair() as two:
        with two.node.bus.subscribe() as events:
            for data in (b"", b"x", bytes(256 * 1024), bytes(2 * MIB)):
                cid = await two.node.hold(data)
                assert await two.fetch(cid) == data
                async for event in events:
                    assert event == BlockSent(two.asking.local_peer, cid, len(data))
                    break
        assert (two.node.server.blocks_sent, two.node.server.bytes_sent) == (4, 1 + 256 * 1024 + 2 * MIB)


async def test_what_is_not_held_is_said(autojump_clock: MockClock) -> None:
    async with pair() as two:
        assert await two.fetch(ABSENT) is None
        assert two.node.server.blocks_sent == 0


async def test_a_files_root_is_answered_with_its_file_info(autojump_clock: MockClock) -> None:
    async with pair() as two:
        root, manifest = await two.node.hold_file(b"one", b"two")
        assert await two.fetch(root) == manifest


async def test_a_block_is_found_under_every_codec_of_its_hash(autojump_clock: MockClock) -> None:
    async with pair() as two:
        cid = await two.node.hold(b"leaf")
        assert await two.fetch(CID(1, 0x70, cid.multihash)) == b"leaf"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"",
        b"\x01",
        bytes(8),
        b"\xff" * 8,
        (36).to_bytes(8, "little") + b"short",
        (4).to_bytes(8, "little") + b"\xff\xff\xff\xff",
    ],
    ids=["empty", "cut length", "no cid", "length of 2^64-1", "cut cid", "not a cid"],
)
async def test_a_malformed_request_resets_its_stream_alone(autojump_clock: MockClock, request_bytes: bytes) -> None:
    async with pair() as two:
        cid = await two.node.hold(b"held")
        with pytest.raises(StreamResetError):
            await two.say(request_bytes)
        assert [type(error) for _, error in two.swarm.refusals] == [ProtocolError]
        assert await two.fetch(cid) == b"held"


async def test_bytes_after_a_request_are_tolerated_up_to_the_cap(autojump_clock: MockClock) -> None:
    async with pair() as two:
        request = encode_request(await two.node.hold(b"held"))
        assert await two.say(request + b"trailing") == answer_head(4) + b"held"
        with pytest.raises(StreamResetError):
            await two.say(request.ljust(1025, b"x"))
        assert [type(error) for _, error in two.swarm.refusals] == [LimitExceededError]


@pytest.mark.parametrize("what", ["block", "manifest"])
async def test_what_is_over_the_cap_is_not_served(autojump_clock: MockClock, what: str) -> None:
    async with pair(max_block_bytes=300, max_manifest_bytes=300) as two:
        cid = await two.node.hold(bytes(301)) if what == "block" else (await two.node.hold_file(b"1", b"2"))[0]
        with pytest.raises(StreamResetError):
            await two.fetch(cid)
        assert [type(error) for _, error in two.swarm.refusals] == [LimitExceededError]
        assert await two.fetch(await two.node.hold(bytes(300))) == bytes(300)


# -- Deadlines


async def test_a_peer_that_stalls_is_given_up_in_time(autojump_clock: MockClock) -> None:
    async with pair() as two:
        cid = await two.node.hold(b"held")
        assert await two.fetch(cid) == b"held"
        started = trio.current_time()
        with two.swarm.stalled(two.peer), pytest.raises(RequestTimeoutError, match="did not answer"):
            await two.fetch(cid)
        assert trio.current_time() - started == pytest.approx(30)
        assert await two.fetch(cid) == b"held"


async def test_a_peer_that_answers_drop_by_drop_is_given_up_in_time(autojump_clock: MockClock) -> None:
    async def drip(stream: Stream) -> None:
        await stream.read_to_end(1024)
        await stream.write(answer_head(1000))
        while True:
            await trio.sleep(1)
            await stream.write(b"x")

    async with pair() as two:
        two.serving.serve(PROTOCOL, drip)
        with pytest.raises(RequestTimeoutError):
            await two.fetch(ABSENT)
        assert trio.current_time() == pytest.approx(30)


async def test_a_remote_that_never_ends_its_request_is_cut_off(autojump_clock: MockClock) -> None:
    async with pair() as two:
        stream = await two.asking.open(two.peer, [PROTOCOL])
        await stream.write(encode_request(ABSENT))
        with pytest.raises(StreamResetError):
            await stream.read(1)
        assert trio.current_time() == pytest.approx(30)
        assert [type(error) for _, error in two.swarm.refusals] == [RequestTimeoutError]


# -- Answers that are none


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x02",
        b"\x01",
        answer_head(100) + bytes(99),
        answer_head(2**64 - 1),
        b"HTTP/1.1 404 Not Found",
    ],
    ids=["empty", "neither", "cut head", "cut", "length of 2^64-1", "text"],
)
async def test_an_answer_that_is_none_is_a_fault_of_the_peers(autojump_clock: MockClock, said: bytes) -> None:
    async def answer(stream: Stream) -> None:
        await stream.read_to_end(1024)
        await stream.finish(said)

    async with pair() as two:
        two.serving.serve(PROTOCOL, answer)
        with pytest.raises(ProtocolError):
            await two.fetch(ABSENT)


async def test_bytes_after_an_answer_are_left_out(autojump_clock: MockClock) -> None:
    async def answer(stream: Stream) -> None:
        await stream.read_to_end(1024)
        await stream.finish(answer_head(4) + b"heldand more")

    async with pair() as two:
        two.serving.serve(PROTOCOL, answer)
        assert await two.fetch(ABSENT) == b"held"


@pytest.mark.parametrize(("size", "fits"), [(100, True), (101, False)])
async def test_the_limit_is_on_the_data_asked_for(autojump_clock: MockClock, size: int, fits: bool) -> None:
    async with pair() as two:
        cid = await two.node.hold(bytes(size))
        if fits:
            assert await two.fetch(cid, 100) == bytes(size)
        else:
            with pytest.raises(LimitExceededError):
                await two.fetch(cid, 100)


async def test_a_store_that_fails_is_not_the_askers_fault(autojump_clock: MockClock) -> None:
    async with pair() as two:

        async def fail(cid: CID) -> None:
            raise StoreError("the disk is gone")

        two.node.blocks.get = fail  # type: ignore[method-assign]
        with pytest.raises(StoreError):
            await two.node.server._find(ABSENT)
