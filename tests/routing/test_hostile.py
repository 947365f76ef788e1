"""Lookups among peers that stall, lie, flood or talk garbage: they cost time at most, and only their own."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.abc import Clock
from trio.testing import MockClock

from chiral.errors import StreamResetError
from chiral.interface.peer import PeerInfo
from chiral.interface.streams import Stream
from chiral.kad.framing import frame, frame_message
from chiral.kad.messages import Message, MessageType, PeerEntry, encode_message
from chiral.kad.server import KeepProvider
from chiral.routing.settings import KadSettings
from tests.fakes.link import address
from tests.fakes.stream_node import FakeNode, peer_id
from tests.routing.net import KAD, DhtNode, Net, Scripted, exchange, running

KEY = b"some key"


async def hostile(net: Net, to: DhtNode, answer: bytes | Message, number: int = 500) -> tuple[FakeNode, Scripted]:
    node, handler = net.fake(number), Scripted(answer)
    node.serve(KAD, handler)
    await node.connect(to.info)
    await trio.sleep(0.1)
    return node, handler


def find_node(*closer: PeerEntry) -> Message:
    return Message(MessageType.FIND_NODE, closer=closer)


GARBAGE = [
    b"\xff" * 20,
    frame(b"\xff\xff\xff"),
    frame(b""),
    frame_message(Message(MessageType.PING)),
    b"\x00",
    frame(encode_message(find_node()))[:-1],
    b"\x80\x80\x08" + bytes(100),
]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_in_an_answer(autojump_clock: Clock, garbage: bytes) -> None:
    async with running() as net:
        node, good = await net.grow(2)
        bad, _ = await hostile(net, node, garbage)
        assert bad.local_peer in node.table
        for _ in range(3):
            assert [info.peer for info in await node.kad.closest_peers(KEY)] == [good.peer]
            await trio.sleep(5)
        assert bad.local_peer not in node.table
        assert node.table == {good.peer}


async def test_a_peer_that_closes_without_an_answer(autojump_clock: Clock) -> None:
    async def hang_up(stream: Stream) -> None:
        await stream.read(10_000)

    async with running() as net:
        node, good = await net.grow(2)
        net.fake(500).serve(KAD, hang_up)
        await net.swarm.nodes[peer_id(500)].connect(node.info)
        await trio.sleep(0.1)
        assert [info.peer for info in await node.kad.closest_peers(KEY)] == [good.peer]


async def test_stalling_peers_hold_a_lookup_for_seconds_not_for_ever(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(15)
        stalling = [node.peer for node in net.nodes[1:6]]
        with net.swarm.stalled(*stalling):
            start = trio.current_time()
            found = {info.peer for info in await net.nodes[10].kad.closest_peers(KEY)}
            assert trio.current_time() - start <= 3.1
            await trio.sleep(10)
            await net.nodes[10].kad.closest_peers(KEY)
            start = trio.current_time()
            await net.nodes[10].kad.closest_peers(KEY)
            assert trio.current_time() == start
        live = {node.peer for node in net.nodes} - {net.nodes[10].peer} - set(stalling)
        assert found == live
        assert not net.nodes[10].table & set(stalling)


async def test_stalling_peers_leave_the_table(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, stalling = await net.grow(2)
        net.swarm.stall(stalling.peer)
        for _ in range(3):
            assert await seeker.kad.closest_peers(KEY) == []
            await trio.sleep(5)
        assert seeker.table == set()


async def test_a_thousand_peers_in_an_answer(autojump_clock: Clock) -> None:
    flood = tuple(PeerEntry(peer_id(n).raw, (address(n),)) for n in range(10_000, 11_000))
    async with running() as net:
        node, good = await net.grow(2)
        bad, _ = await hostile(net, node, frame(encode_message(find_node(*flood))))
        assert {info.peer for info in await node.kad.closest_peers(KEY)} == {good.peer, bad.local_peer}
        assert node.table == {good.peer, bad.local_peer}
        assert sum(bool(node.node.addrs_of(peer_id(n))) for n in range(10_000, 11_000)) <= 20
        assert node.node.opened.total() < 100


async def test_an_answer_over_the_reading_limit(autojump_clock: Clock) -> None:
    async with running() as net:
        node, good = await net.grow(2)
        await hostile(net, node, frame(bytes(70_000)))
        assert [info.peer for info in await node.kad.closest_peers(KEY)] == [good.peer]


async def test_peers_that_are_us_and_the_same_under_many_addresses(autojump_clock: Clock) -> None:
    async with running() as net:
        node, good = await net.grow(2)
        entries = [PeerEntry(node.peer.raw, (address(0),))] * 5
        entries += [PeerEntry(peer_id(600).raw, tuple(address(600, port) for port in range(1, 60)))] * 5
        entries += [PeerEntry(b""), PeerEntry(b"no peer id"), PeerEntry(peer_id(601).raw, (b"nowhere",))]
        bad, _ = await hostile(net, node, find_node(*entries))
        assert {info.peer for info in await node.kad.closest_peers(KEY)} == {good.peer, bad.local_peer}
        assert len(node.node.addrs_of(peer_id(600))) == 16
        assert node.node.addrs_of(peer_id(601)) == ()


async def test_a_liar_with_ever_new_peers_does_not_keep_a_lookup(autojump_clock: Clock) -> None:
    numbers = iter(range(20_000, 10**9))

    async def lie(stream: Stream) -> None:
        # Every invented peer is another name of the same liar, and answers with further names.
        invented = [next(numbers) for _ in range(20)]
        for number in invented:
            liar = net.fake(number)
            liar.serve(KAD, lie)
        entries = [PeerEntry(peer_id(number).raw, (address(number),)) for number in invented]
        await stream.read(10_000)
        await stream.write(frame_message(find_node(*entries)))

    async with running() as net:
        node = await net.add(KadSettings(k=8, alpha=4))
        first = net.fake(500)
        first.serve(KAD, lie)
        await first.connect(node.info)
        await trio.sleep(0.1)
        before = node.node.opened.total()
        assert len(await node.kad.closest_peers(KEY)) == 8
        assert node.node.opened.total() - before <= 300


async def test_a_peer_that_speaks_no_dht_leaves_the_table(autojump_clock: Clock) -> None:
    async with running() as net:
        node, other = await net.grow(2)
        del other.node.handlers[KAD]
        assert await node.kad.closest_peers(KEY) == []
        assert node.table == set()


async def test_identify_that_no_longer_names_the_protocol_takes_a_peer_out(autojump_clock: Clock) -> None:
    async with running() as net:
        node, other = await net.grow(2)
        del other.node.handlers[KAD]
        await node.node.disconnect(other.peer)
        other.node.serve("/other/1.0.0", Scripted(b""))
        await node.node.connect(other.info)
        await trio.sleep(0.1)
        assert node.table == set()


@settings(max_examples=40)
@given(st.lists(st.binary(min_size=1, max_size=80), max_size=4))
def test_a_handler_survives_any_bytes(parts: list[bytes]) -> None:
    async def scenario() -> None:
        async with running() as net:
            node = await net.add()
            strange = net.fake(500)
            await strange.connect(node.info)
            stream = await strange.open(node.peer, [KAD])
            with suppress(StreamResetError):
                for part in parts:
                    await stream.write(part)
                await stream.finish()
                await stream.read_to_end(100_000)
            assert await exchange(strange, node.peer, Message(MessageType.PING)) == Message(MessageType.PING)

    trio.run(scenario, clock=MockClock(autojump_threshold=0))


async def test_a_peer_that_moved_is_found_at_the_address_others_tell(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(4)
        seeker, moved = net.nodes[1], net.nodes[3]
        await seeker.node.disconnect(moved.peer)
        seeker.node.forget_addrs(moved.peer)
        seeker.node.add_addrs(moved.peer, [address(900)], ttl_s=1e6)
        assert moved.peer in seeker.table
        await seeker.kad.closest_peers(KEY)
        assert address(3) in seeker.node.addrs_of(moved.peer)
        assert moved.peer in {info.peer for info in await seeker.kad.closest_peers(KEY)}


async def test_a_peer_that_failed_twice_is_left_alone_for_a_while(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(4)
        seeker, bad = net.nodes[1], net.nodes[3]
        net.swarm.stall(bad.peer)
        for _ in range(2):
            await seeker.kad.closest_peers(KEY)
            await trio.sleep(8)
        assert bad.peer not in seeker.table
        # The others still tell of it; asking it again costs nothing while it is left alone, and succeeds thereafter.
        seeker.overlay().failed(bad.peer, StreamResetError("once more"))
        net.swarm.unstall(bad.peer)
        start = trio.current_time()
        assert bad.peer not in {info.peer for info in await seeker.kad.closest_peers(KEY)}
        assert trio.current_time() == start
        await trio.sleep(10)
        assert bad.peer in {info.peer for info in await seeker.kad.closest_peers(KEY)}
        assert bad.peer in seeker.table


async def test_with_nobody_else_even_who_failed_is_asked(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, only = await net.grow(2)
        seeker.overlay().failed(only.peer, StreamResetError("one"))
        await trio.sleep(2)
        seeker.overlay().failed(only.peer, StreamResetError("two"))
        seeker.overlay().table.seen(only.peer, trio.current_time())
        assert seeker.overlay().blocked(only.peer)
        assert [info.peer for info in await seeker.kad.closest_peers(KEY)] == [only.peer]


PUBLIC, LOOPBACK = b"\x04\x5d\xb8\xd8\x22\x06\x0f\xa1", b"\x04\x7f\x00\x00\x01\x06\x1f\x90"
NOWHERE = (
    b"\x04\x00\x00\x00\x00\x06\x0f\xa1",
    b"\x04\xe0\x00\x00\xfb\x06\x0f\xa1",
    b"\x04\xff\xff\xff\xff\x06\x0f\xa1",
    b"\x04\x01\x02\x03\x04\x06\x00\x00",
)


async def test_addresses_of_nowhere_are_not_remembered_and_not_dialled(autojump_clock: Clock) -> None:
    async with running() as net:
        node, good = await net.grow(2)
        lost = [PeerEntry(peer_id(700 + number).raw, (addr,)) for number, addr in enumerate(NOWHERE)]
        bad, _ = await hostile(net, node, find_node(*lost, PeerEntry(peer_id(699).raw, (*NOWHERE, address(699)))))
        assert {info.peer for info in await node.kad.closest_peers(KEY)} == {good.peer, bad.local_peer}
        assert [node.node.addrs_of(peer_id(700 + number)) for number in range(4)] == [()] * 4
        assert node.node.addrs_of(peer_id(699)) == (address(699),)


async def test_a_public_peer_tells_nothing_of_this_machine(autojump_clock: Clock) -> None:
    async with running() as net:
        (node,) = await net.grow(1)
        far = net.fake(500)
        far.serve(KAD, Scripted(find_node(PeerEntry(peer_id(700).raw, (LOOPBACK, address(700))))))
        far._listen = (PUBLIC,)
        net.swarm._by_addr[PUBLIC] = far
        await node.node.connect(PeerInfo(far.local_peer, (PUBLIC,)))
        await trio.sleep(0.1)
        assert [info.peer for info in await node.kad.closest_peers(KEY)] == [far.local_peer]
        assert node.node.addrs_of(peer_id(700)) == (address(700),)


async def test_a_public_provider_is_not_kept_at_a_loopback(autojump_clock: Clock) -> None:
    async with running() as net:
        (node,) = await net.grow(1)
        responder = node.kad._searches.responder
        for told, kept in (((LOOPBACK, address(9)), (address(9),)), ((LOOPBACK,), (PUBLIC,))):
            record = await responder.provider_record(peer_id(9), PUBLIC, KeepProvider(KEY, told), 0.0)
            assert record.addrs == kept
        record = await responder.provider_record(peer_id(9), address(9), KeepProvider(KEY, (LOOPBACK,)), 0.0)
        assert record.addrs == (LOOPBACK,)
        node.node.add_addrs(peer_id(9), [LOOPBACK], ttl_s=60)
        record = await responder.provider_record(peer_id(9), PUBLIC, KeepProvider(KEY, ()), 0.0)
        assert record.addrs == (PUBLIC,)
