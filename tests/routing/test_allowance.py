"""Peers that ask for much: slowed, never lost, and cut only if they persist; the others feel nothing of it."""

from __future__ import annotations

import pytest
import trio
from trio.abc import Clock

from chiral.errors import StreamResetError
from chiral.interface.streams import Stream
from chiral.kad.framing import frame_message
from chiral.kad.messages import Message, MessageType
from chiral.routing.inbox import Inbox
from chiral.routing.refusals import Refusal, Refusals, RefusedError
from chiral.routing.settings import InboundLimits, KadSettings
from tests.fakes.link import address
from tests.fakes.records import MemoryProviderStore
from tests.fakes.stream_node import FakeNode
from tests.routing.net import KAD, DhtNode, Net, add_provider, exchange, running, stranger

TIGHT = InboundLimits(
    records_per_s=10, records_burst=50, requests_per_s=10, requests_burst=20, over_rate_s=30, provider_batch=10
)


def records(node: FakeNode, count: int, start: int = 0) -> bytes:
    own = address(node.number)
    return b"".join(frame_message(add_provider(b"%d" % n, node.local_peer, own)) for n in range(start, start + count))


async def told(stream: Stream, wire: bytes) -> None:
    """Send announcements as an announcer does: all at once, then wait until the remote closed."""
    await stream.finish(wire)
    assert await stream.read_to_end(0) == b""


async def server(net: Net, limits: InboundLimits = TIGHT) -> DhtNode:
    return await net.add(KadSettings(inbound=limits), providers=MemoryProviderStore(total=10**6))


async def refused(node: DhtNode) -> Refusals:
    return (await node.kad.stats()).refusals


async def test_ten_thousand_keys_are_taken_at_full_speed(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await server(net, InboundLimits())
        strange = await stranger(net, node)
        start = trio.current_time()
        for batch in range(0, 10_000, 100):
            await told(await strange.open(node.peer, [KAD]), records(strange, 100, batch))
        assert trio.current_time() == start
        assert await node.providers.count() == 10_000
        assert await refused(node) == Refusals()


async def test_keys_over_the_burst_are_slowed_and_none_is_lost(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await server(net, InboundLimits(records_per_s=400, records_burst=800))
        strange = await stranger(net, node)
        start = trio.current_time()
        await told(await strange.open(node.peer, [KAD]), records(strange, 4000))
        assert 7.9 <= trio.current_time() - start <= 8.1
        assert await node.providers.count() == 4000
        refusals = await refused(node)
        assert refusals.slowed > 0
        assert refusals.total == 0


async def test_while_a_peer_waits_its_stream_is_not_read(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await server(net)
        strange = await stranger(net, node)
        stream = await strange.open(node.peer, [KAD])
        sent = 0
        with trio.move_on_after(5.0):
            while True:
                await stream.write(records(strange, 1000, sent))
                sent += 1000
        await trio.sleep(0.2)
        # What the window and one read hold may be on its way; the sender stands still for the rest.
        assert sent * len(records(strange, 1)) < 1_000_000
        assert 90 <= await node.providers.count() <= 110


async def test_requests_have_a_rate_of_their_own_and_are_answered_in_order(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await server(net)
        strange = await stranger(net, node)
        await told(await strange.open(node.peer, [KAD]), records(strange, 50))
        stream = await strange.open(node.peer, [KAD])
        start = trio.current_time()
        await stream.finish(b"".join(frame_message(Message(MessageType.PING, b"%d" % n)) for n in range(60)))
        inbox = Inbox(stream)
        assert [(await inbox.next()) for _ in range(60)] == [Message(MessageType.PING, b"%d" % n) for n in range(60)]
        assert trio.current_time() - start == pytest.approx(4.0, abs=0.1)


async def test_the_streams_of_a_peer_share_its_rate_and_other_peers_have_theirs(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await server(net)
        greedy, modest = await stranger(net, node, 500), await stranger(net, node, 501)
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(told, await greedy.open(node.peer, [KAD]), records(greedy, 50, 100 * number))
            await trio.sleep(1)
            before = trio.current_time()
            await told(await modest.open(node.peer, [KAD]), records(modest, 50))
            assert await exchange(greedy, node.peer, Message(MessageType.PING)) == Message(MessageType.PING)
            assert trio.current_time() == before
        assert trio.current_time() - start == pytest.approx(10.0, abs=0.1)
        assert await node.providers.count() == 200


async def test_who_persists_is_cut_and_what_was_taken_is_kept(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await server(net)
        strange = await stranger(net, node)
        start = trio.current_time()
        with pytest.raises(StreamResetError):
            await told(await strange.open(node.peer, [KAD]), records(strange, 1000))
        assert trio.current_time() - start == pytest.approx(30, abs=1)
        error = net.swarm.refusals[-1][1]
        assert isinstance(error, RefusedError)
        assert error.reason is Refusal.RATE
        assert "30 s" in str(error)
        assert await node.providers.count() == pytest.approx(350, abs=10)
        assert (await refused(node)).rate == 1


async def test_more_streams_than_the_rate_serves_in_time_are_cut_at_once(autojump_clock: Clock) -> None:
    limits = InboundLimits(requests_per_s=1, requests_burst=1, over_rate_s=5, streams_per_peer=64)
    async with running() as net:
        node = await server(net, limits)
        strange = await stranger(net, node)
        outcomes: list[bool] = []

        async def ask() -> None:
            try:
                await exchange(strange, node.peer, Message(MessageType.PING))
            except StreamResetError:
                outcomes.append(False)
            else:
                outcomes.append(True)

        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)
        assert outcomes.count(True) == 6
        assert trio.current_time() - start == pytest.approx(5.0)
        # What was refused has not been charged: the next one is served after its turn.
        assert await exchange(strange, node.peer, Message(MessageType.PING)) == Message(MessageType.PING)
        assert trio.current_time() - start == pytest.approx(6.0)
