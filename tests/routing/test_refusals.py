"""What is refused is counted once, under its reason."""

from __future__ import annotations

import pytest
import trio
from trio.abc import Clock

from chiral.errors import RemoteError, StreamResetError
from chiral.kad.framing import frame, frame_message
from chiral.kad.messages import Message, MessageType, Record
from chiral.routing.refusals import Refusal, RefusalCounter, Refusals, RefusedError
from chiral.routing.settings import InboundLimits, KadSettings
from tests.fakes.records import MemoryProviderStore
from tests.fakes.stream_node import peer_id
from tests.routing.net import KAD, DhtNode, add_provider, exchange, running, stranger


async def refused(node: DhtNode) -> Refusals:
    return (await node.kad.stats()).refusals


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (frame(b"\xff\xff\xff"), Refusals(malformed=1)),
        (b"\x09\x08", Refusals(malformed=1)),
        (frame_message(Message(MessageType.FIND_NODE)), Refusals(malformed=1)),
        (frame_message(Message(MessageType.PUT_VALUE, b"/no/x", Record(b"/no/x", b"v"))), Refusals(malformed=1)),
        (frame_message(Message(MessageType.FIND_NODE, bytes(81))), Refusals(oversized=1)),
        (b"\xff\xff\x7f", Refusals(oversized=1)),
        (frame_message(add_provider(b"key", peer_id(77))), Refusals(foreign=1)),
        (b"", Refusals()),
    ],
)
async def test_each_refusal_has_its_reason(autojump_clock: Clock, wire: bytes, expected: Refusals) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        stream = await strange.open(node.peer, [KAD])
        await stream.finish(wire)
        await trio.sleep(1)
        assert await refused(node) == expected
        assert expected.total == bool(wire)


async def test_silence_is_counted_and_a_reset_by_the_remote_is_not(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        await strange.open(node.peer, [KAD])
        left = await strange.open(node.peer, [KAD])
        await left.reset()
        await trio.sleep(61)
        assert await refused(node) == Refusals(idle=1)


async def test_streams_over_the_limits(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(KadSettings(inbound=InboundLimits(streams=3, streams_per_peer=2)))
        one, two = await stranger(net, node, 500), await stranger(net, node, 501)
        for strange in (one, one, one, two, two):
            await strange.open(node.peer, [KAD])
        await trio.sleep(0.1)
        assert await refused(node) == Refusals(streams=2)


async def test_records_over_the_limits_are_counted_one_by_one_and_the_limits_are_named(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(providers=MemoryProviderStore(per_key=20, total=3))
        strange = await stranger(net, node)
        stream = await strange.open(node.peer, [KAD])
        await stream.finish(b"".join(frame_message(add_provider(b"%d" % n, strange.local_peer)) for n in range(5)))
        with pytest.raises(StreamResetError):
            await stream.read(1)
        assert await refused(node) == Refusals(records=2)
        error = net.swarm.refusals[-1][1]
        assert isinstance(error, RefusedError)
        assert error.reason is Refusal.RECORDS
        assert error.message == "2 provider records are over the limits: 20 of a key, 3 of a peer, 3 in all"
        assert await exchange(strange, node.peer, Message(MessageType.PING)) == Message(MessageType.PING)


def test_a_fault_of_no_known_family_is_not_counted() -> None:
    counter = RefusalCounter()
    counter.note(RemoteError("something else"))
    assert counter.snapshot() == Refusals()
