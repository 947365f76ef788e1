"""The server against single streams of strange peers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.abc import Clock

from chiral.errors import LimitExceededError, ProtocolError, RemoteError, RequestTimeoutError, StreamResetError
from chiral.interface.peer import PeerId
from chiral.interface.providers import ProviderRecord
from chiral.interface.streams import Stream
from chiral.kad.framing import frame, frame_message
from chiral.kad.messages import (
    MAX_MESSAGE_BYTES,
    Connectedness,
    Message,
    MessageType,
    PeerEntry,
    Record,
    encode_message,
)
from chiral.routing.inbox import Inbox
from chiral.routing.settings import InboundLimits, KadSettings
from tests.fakes.link import address
from tests.fakes.records import MemoryProviderStore
from tests.fakes.stream_node import FakeNode, peer_id
from tests.routing.net import KAD, DhtNode, Net, closest, exchange, running

KEY = b"a key"


def find_node(key: bytes) -> Message:
    return Message(MessageType.FIND_NODE, key)


def add_provider(key: bytes, peer: PeerId, *addrs: bytes) -> Message:
    return Message(MessageType.ADD_PROVIDER, key, providers=(PeerEntry(peer.raw, addrs),))


async def stranger(net: Net, node: DhtNode, number: int = 500) -> FakeNode:
    """A peer that serves no DHT, connected and identified."""
    strange = net.fake(number)
    await strange.connect(node.info)
    await trio.sleep(0.1)
    return strange


async def send(strange: FakeNode, node: DhtNode, *messages: Message) -> None:
    """Requests without answers in one stream, to its clean end."""
    stream = await strange.open(node.peer, [KAD])
    await stream.finish(b"".join(frame_message(message) for message in messages))
    assert await stream.read_to_end(1000) == b""


async def records_of(net: Net, node: DhtNode, key: bytes = KEY) -> list[ProviderRecord]:
    return await node.providers.get(key, net.clock.wall())


async def test_ping_is_echoed(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange = await stranger(net, node)
        assert await exchange(strange, node.peer, Message(MessageType.PING)) == Message(MessageType.PING)


async def test_find_node_answers_with_the_closest_but_the_asker(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(23)
        first, asker = net.nodes[0], net.nodes[4]
        answer = await exchange(asker.node, first.peer, find_node(KEY))
        assert answer is not None
        found = [entry.id for entry in answer.closer]
        assert found == [peer.raw for peer in closest(sorted(first.table - {asker.peer}), KEY, 20)]
        assert all(entry.addrs for entry in answer.closer)
        assert answer.closer[0].connection is Connectedness.CONNECTED
        assert answer.type is MessageType.FIND_NODE


async def test_find_node_names_the_sought_peer_though_it_serves_no_dht(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        strange, other = await stranger(net, node), await stranger(net, node, 501)
        for target in (other.local_peer, strange.local_peer, node.peer):
            answer = await exchange(strange, node.peer, find_node(target.raw))
            assert answer is not None
            assert answer.closer[0].id == target.raw
            assert answer.closer[0].addrs
        assert await exchange(strange, node.peer, find_node(peer_id(999).raw)) == Message(
            MessageType.FIND_NODE, peer_id(999).raw
        )


async def test_peers_without_addresses_are_not_told(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(4)
        first = net.nodes[0]
        first.node.forget_addrs(net.nodes[2].peer)
        answer = await exchange(await stranger(net, first), first.peer, find_node(KEY))
        assert answer is not None
        assert {entry.id for entry in answer.closer} == {net.nodes[1].peer.raw, net.nodes[3].peer.raw}


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


async def test_answers_fit_what_every_peer_takes(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(25)
        node, now = net.nodes[0], net.clock.wall()
        addrs = tuple(b"\x36\x40" + b"%064d" % number for number in range(16))
        await node.providers.add_many([ProviderRecord(KEY, peer_id(n), addrs, now, now + 9) for n in range(100, 120)])
        answer = await exchange(net.nodes[1].node, node.peer, Message(MessageType.GET_PROVIDERS, KEY))
        assert answer is not None
        assert len(encode_message(answer)) <= MAX_MESSAGE_BYTES
        assert len(answer.providers) == 20
        assert len(answer.closer) >= 4


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


class Newest:
    """Values of one byte, of which the highest is best; zero is not valid."""

    def validate(self, key: bytes, value: bytes) -> None:
        if len(value) != 1 or value == b"\0":
            raise ProtocolError("not one byte")

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        return values.index(max(values))


def put(key: bytes, value: bytes, ttl_s: int = 0) -> Message:
    return Message(MessageType.PUT_VALUE, key, Record(key, value, "ignored", b"ignored", ttl_s))


async def test_values_are_validated_kept_and_told(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(validators={"v": Newest()})
        strange = await stranger(net, node)
        answer = await exchange(strange, node.peer, put(b"/v/k", b"2"))
        assert answer == Message(MessageType.PUT_VALUE, b"/v/k", Record(b"/v/k", b"2"))
        for refused in (b"\0", b"long", b"1"):
            with pytest.raises(StreamResetError):
                await exchange(strange, node.peer, put(b"/v/k", refused))
        assert await exchange(strange, node.peer, put(b"/v/k", b"3")) is not None
        assert await exchange(strange, node.peer, put(b"/v/k", b"3")) is not None
        told = await exchange(strange, node.peer, Message(MessageType.GET_VALUE, b"/v/k"))
        assert told is not None
        assert told.record is not None
        assert (told.record.key, told.record.value) == (b"/v/k", b"3")
        assert told.record.time_received.startswith("2023-11-14T22:")
        assert told.record.time_received.endswith("Z")
        assert 0 < told.record.ttl_s <= 48 * 3600
        nothing = await exchange(strange, node.peer, Message(MessageType.GET_VALUE, b"/v/other"))
        assert nothing == Message(MessageType.GET_VALUE, b"/v/other")


async def test_the_shorter_life_of_a_value_counts(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(validators={"v": Newest()})
        strange = await stranger(net, node)
        await exchange(strange, node.peer, put(b"/v/a", b"1", ttl_s=60))
        await exchange(strange, node.peer, put(b"/v/b", b"1", ttl_s=10**9))
        now = net.clock.wall()
        short, long = await node.values.get(b"/v/a", now), await node.values.get(b"/v/b", now)
        assert short is not None
        assert long is not None
        assert short.expires_at == pytest.approx(now + 60)
        assert long.expires_at == pytest.approx(now + 48 * 3600)
        await trio.sleep(49 * 3600)
        assert await node.values.count() == 0


async def test_a_client_serves_nothing(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(KadSettings(mode="client"))
        assert KAD not in node.node.handlers
