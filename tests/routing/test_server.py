"""The server against single streams of strange peers: order, malformed input, limits."""

from __future__ import annotations

import pytest
import trio
from trio.abc import Clock

from chiral.errors import LimitExceededError, ProtocolError, RemoteError, RequestTimeoutError, StreamResetError
from chiral.interface.streams import Stream
from chiral.kad.framing import frame, frame_message
from chiral.kad.messages import (
    Message,
    MessageType,
    Record,
)
from chiral.routing.inbox import Inbox
from chiral.routing.settings import InboundLimits, KadSettings
from tests.routing.net import KAD, exchange, find_node, running, stranger

KEY = b"a key"


async def test_many_messages_in_one_stream_are_answered_in_order(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        stream = await strange.open(node.peer, [KAD])
        inbox = Inbox(stream)
        for number in range(50):
            await stream.write(frame_message(Message(MessageType.GET_PROVIDERS, b"%d" % number)))
        for number in range(50):
            assert await inbox.next() == Message(MessageType.GET_PROVIDERS, b"%d" % number)
        await stream.finish()
        assert await inbox.next() is None


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (frame_message(find_node(bytes(80)))[:-1] + b"", ProtocolError),
        (frame(b"\x08\x4d"), ProtocolError),
        (b"\x81\x80\x04" + bytes(1000), LimitExceededError),
        (frame_message(Message(MessageType.FIND_NODE, bytes(81))), LimitExceededError),
        (frame_message(Message(MessageType.PUT_VALUE, b"/none/x", Record(b"/none/x", b"v"))), ProtocolError),
        (frame_message(Message(MessageType.PUT_VALUE, b"/none/x")), ProtocolError),
    ],
)
async def test_malformed_requests_reset_their_stream_alone(
    autojump_clock: Clock, data: bytes, error: type[RemoteError]
) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        good = await strange.open(node.peer, [KAD])
        bad = await strange.open(node.peer, [KAD])
        await bad.finish(data)
        with pytest.raises(StreamResetError):
            await bad.read(100)
        assert type(net.swarm.refusals[-1][1]) is error
        await good.finish(frame_message(Message(MessageType.PING)))
        assert await Inbox(good).next() == Message(MessageType.PING)
        assert len(strange.connections()) == 1


async def drip(stream: Stream, wire: bytes) -> None:
    """Send a byte every ten seconds."""
    for byte in wire:
        await stream.write(bytes([byte]))
        await trio.sleep(10)


async def flood(stream: Stream, wire: bytes) -> None:
    """Send and never read."""
    while True:
        await stream.write(wire)


async def test_idle_and_dripping_streams_are_reset(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        start = trio.current_time()
        stream = await strange.open(node.peer, [KAD])
        with pytest.raises(StreamResetError):
            await stream.read(100)
        assert trio.current_time() - start == pytest.approx(60)
        dripping = await strange.open(node.peer, [KAD])
        with pytest.raises(StreamResetError):
            await drip(dripping, frame_message(find_node(bytes(80))))
        assert isinstance(net.swarm.refusals[-1][1], RequestTimeoutError)


async def test_a_reader_that_never_reads_is_reset(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(8)
        strange = await stranger(net, net.nodes[0])
        stream = await strange.open(net.nodes[0].peer, [KAD])
        with pytest.raises(StreamResetError), trio.fail_after(1000):
            await flood(stream, frame_message(find_node(KEY)) * 100)
        assert isinstance(net.swarm.refusals[-1][1], RequestTimeoutError)


async def test_streams_are_bounded_per_peer_and_in_all(autojump_clock: Clock) -> None:
    settings = KadSettings(inbound=InboundLimits(streams=5, streams_per_peer=3))
    async with running() as net:
        node = await net.add(settings)
        one, two, three = [await stranger(net, node, number) for number in (500, 501, 502)]
        held = [await one.open(node.peer, [KAD]) for _ in range(3)]
        await trio.sleep(0.1)
        with pytest.raises(StreamResetError):
            await exchange(one, node.peer, Message(MessageType.PING))
        held += [await two.open(node.peer, [KAD]) for _ in range(2)]
        await trio.sleep(0.1)
        with pytest.raises(StreamResetError):
            await exchange(three, node.peer, Message(MessageType.PING))
        assert all(isinstance(error, LimitExceededError) for _, error in net.swarm.refusals)
        for stream in held:
            await stream.close()
        await trio.sleep(0.1)
        for strange in (one, two, three):
            assert await exchange(strange, node.peer, Message(MessageType.PING)) == Message(MessageType.PING)


async def test_a_client_serves_nothing(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(KadSettings(mode="client"))
        assert KAD not in node.node.handlers
