"""ADD_PROVIDER and GET_PROVIDERS of strange peers: what is kept, with which addresses, and what is told."""

from __future__ import annotations

import pytest
import trio
from trio.abc import Clock

from chiral.errors import ProtocolError, StreamResetError
from chiral.interface.providers import ProviderRecord
from chiral.kad.framing import frame, frame_message
from chiral.kad.messages import (
    Connectedness,
    Message,
    MessageType,
    PeerEntry,
)
from chiral.routing.inbox import Inbox
from tests.fakes.link import address
from tests.fakes.records import MemoryProviderStore
from tests.fakes.stream_node import FakeNode, peer_id
from tests.routing.net import KAD, DhtNode, Net, add_provider, exchange, running, stranger

KEY = b"a key"


async def send(strange: FakeNode, node: DhtNode, *messages: Message) -> None:
    """Requests without answers in one stream, to its clean end."""
    stream = await strange.open(node.peer, [KAD])
    await stream.finish(b"".join(frame_message(message) for message in messages))
    assert await stream.read_to_end(1000) == b""


async def records_of(net: Net, node: DhtNode, key: bytes = KEY) -> list[ProviderRecord]:
    return await node.providers.get(key, net.clock.wall())


async def test_several_add_providers_in_one_stream_are_one_transaction(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        keys = [b"key %d" % number for number in range(200)]
        await send(strange, node, *(add_provider(key, strange.local_peer, address(500)) for key in keys))
        assert await node.providers.count() == 200
        assert node.providers.writes == 1


async def test_records_are_stored_before_what_follows_is_answered(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        stream = await strange.open(node.peer, [KAD])
        wanted = Message(MessageType.GET_PROVIDERS, KEY)
        await stream.finish(frame_message(add_provider(KEY, strange.local_peer)) + frame_message(wanted))
        answer = await Inbox(stream).next()
        assert answer is not None
        assert [entry.id for entry in answer.providers] == [strange.local_peer.raw]


@pytest.mark.parametrize("bad", [b"\xff" * 12, frame(b"\xff"), frame_message(Message(MessageType.FIND_NODE)), b"\x09x"])
async def test_records_before_something_malformed_are_kept(autojump_clock: Clock, bad: bytes) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        stream = await strange.open(node.peer, [KAD])
        await stream.finish(frame_message(add_provider(KEY, strange.local_peer)) + bad)
        with pytest.raises(StreamResetError):
            await stream.read(100)
        assert len(await records_of(net, node)) == 1
        assert isinstance(net.swarm.refusals[-1][1], ProtocolError)


async def test_a_record_carries_clean_addresses_and_its_time(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        await send(strange, node, add_provider(KEY, strange.local_peer, b"garbage", address(1), address(2)))
        now = net.clock.wall()
        (record,) = await records_of(net, node)
        assert record == ProviderRecord(KEY, strange.local_peer, (address(1), address(2)), now, now + 24 * 3600)


async def test_a_provider_without_addresses_gets_those_of_identify(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        await send(strange, node, add_provider(KEY, strange.local_peer))
        assert [record.addrs for record in await records_of(net, node)] == [(address(500),)]


async def test_identify_that_comes_later_is_waited_for(autojump_clock: Clock) -> None:
    async with running() as net:
        node, asker = await net.grow(2)
        net.swarm.identify_s = 2.0
        strange = net.fake(500)
        await strange.connect(node.info)
        await send(strange, node, *(add_provider(b"%d" % number, strange.local_peer) for number in range(9)))
        (record,) = await records_of(net, node, b"8")
        assert record.addrs == (address(500),)
        # What others are told is where the provider can be dialled.
        answer = await exchange(asker.node, node.peer, Message(MessageType.GET_PROVIDERS, b"8"))
        assert answer is not None
        assert answer.providers == (PeerEntry(strange.local_peer.raw, (address(500),), Connectedness.CONNECTED),)


async def test_without_identify_the_connections_address_is_taken(autojump_clock: Clock) -> None:
    async with running() as net:
        node, asker = await net.grow(2)
        net.swarm.identify_s = 1000.0
        strange = net.fake(500)
        await strange.connect(node.info)
        start = trio.current_time()
        await send(strange, node, *(add_provider(b"%d" % number, strange.local_peer) for number in range(9)))
        assert trio.current_time() - start == pytest.approx(3.0)  # once for all nine
        (info,) = node.node.connections()[-1:]
        assert [record.addrs for record in await records_of(net, node, b"8")] == [(info.addr,)]
        # When identify comes at last, answers are the better for it.
        await trio.sleep(1000)
        answer = await exchange(asker.node, node.peer, Message(MessageType.GET_PROVIDERS, b"8"))
        assert answer is not None
        assert address(500) in answer.providers[0].addrs


async def test_providers_of_others_are_refused(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        stream = await strange.open(node.peer, [KAD])
        await stream.finish(frame_message(add_provider(KEY, peer_id(1), address(1))))
        with pytest.raises(StreamResetError):
            await stream.read(100)
        assert await node.providers.count() == 0


async def test_get_providers_answers_with_records_own_keys_and_closer_peers(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(4)
        node = net.nodes[0]
        strange = await stranger(net, node)
        await node.kad.provide([KEY])
        await send(strange, node, add_provider(KEY, strange.local_peer, address(7)))
        answer = await exchange(net.nodes[3].node, node.peer, Message(MessageType.GET_PROVIDERS, KEY))
        assert answer is not None
        told = {entry.id: entry.addrs for entry in answer.providers}
        assert told == {node.peer.raw: (address(0),), strange.local_peer.raw: (address(7), address(500))}
        assert {entry.id for entry in answer.closer} == {other.peer.raw for other in net.nodes[1:3]}
        await node.kad.stop_providing([KEY])
        answer = await exchange(net.nodes[3].node, node.peer, Message(MessageType.GET_PROVIDERS, KEY))
        assert answer is not None
        assert [entry.id for entry in answer.providers] == [strange.local_peer.raw]


async def test_records_over_the_stores_limits_end_in_a_reset(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(providers=MemoryProviderStore(per_key=20, total=3))
        strange = await stranger(net, node)
        stream = await strange.open(node.peer, [KAD])
        messages = [add_provider(b"%d" % number, strange.local_peer) for number in range(5)]
        await stream.finish(b"".join(frame_message(message) for message in messages))
        with pytest.raises(StreamResetError):
            await stream.read(100)
        assert await node.providers.count() == 3
        assert "2 provider records" in str(net.swarm.refusals[-1][1])
