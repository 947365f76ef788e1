"""The host as a whole, over real sockets: connections come and go, many at once, and it ends clean."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from libp2p.stream_muxer.exceptions import MuxedStreamReset

from chiral.errors import (
    LimitExceededError,
    ListenError,
    PeerUnreachableError,
    ProtocolError,
    StreamResetError,
    UnsupportedProtocolError,
)
from chiral.events.bus import EventBus
from chiral.events.types import PeerConnected, PeerDisconnected
from chiral.host.addresses import address_of_endpoint, address_text, endpoint_of, parse_peer_address
from chiral.host.connection import Connection
from chiral.host.host import Host
from chiral.host.identity import new_identity, peer_id_of
from chiral.host.multistream import opening
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import Stream
from tests.host.child import child
from tests.host.running import (
    ECHO,
    Identified,
    acquainted,
    echo,
    info_of,
    make_host,
    raw_id,
    raw_peer,
    running,
    settled,
)

TEST_S = 60
PING = "/ipfs/ping/1.0.0"
ANSWER = "/test/answer/1.0.0"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- Identify


async def test_both_sides_learn_who_the_other_is() -> None:
    one, two = make_host(1), make_host(2)
    two.serve(ECHO, echo)
    with trio.fail_after(TEST_S):
        async with acquainted(one, two):
            assert ECHO in one.protocols_of(two.local_peer)
            assert PING in two.protocols_of(one.local_peer)
            assert two.addrs_of(one.local_peer) == one.listen_addrs(), "who is dialled learns where to dial back"
            (there,), (back,) = one.connections(), two.connections()
            assert (there.peer, there.direction, there.agent) == (two.local_peer, "outbound", "chiral/test-2")
            assert (back.peer, back.direction, back.agent) == (one.local_peer, "inbound", "chiral/test-1")
            assert there.addr == two.listen_addrs()[0]
            assert list(there.protocols) == sorted(there.protocols)


async def test_several_addresses_of_both_families_are_told_and_answered() -> None:
    listener = make_host(1, listen=("/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0", "/ip4/127.0.0.1/tcp/0"))
    listener.serve(ECHO, echo)
    with trio.fail_after(TEST_S):
        async with listener.run():
            assert len(listener.listen_addrs()) == 3
            for number, addr in enumerate(listener.listen_addrs()):
                dialler = make_host(2 + number)
                async with dialler.run():
                    await dialler.connect(PeerInfo(listener.local_peer, (addr,)))
                    assert await dialler.request(listener.local_peer, ECHO, b"x", limit_bytes=9) == b"x"
                    assert dialler.connections()[0].addr == addr


async def test_a_protocol_served_later_is_pushed_to_all_who_are_connected() -> None:
    one, two = make_host(1), make_host(2)
    with trio.fail_after(TEST_S):
        async with acquainted(one, two):
            heard = Identified(one)
            two.serve(ECHO, echo)
            await heard.until(1)
            assert ECHO in one.protocols_of(two.local_peer)
            assert one.connections()[0].agent == "chiral/test-2"
            assert await one.request(two.local_peer, ECHO, b"x", limit_bytes=9) == b"x"


async def test_what_has_not_changed_is_not_pushed() -> None:
    one, two = make_host(1), make_host(2)
    with trio.fail_after(TEST_S):
        async with acquainted(one, two):
            heard = Identified(one)
            two.serve(PING, echo)
            two.serve(ECHO, echo)
            await heard.until(1)
            await trio.testing.wait_all_tasks_blocked(0.02)
            assert len(heard.peers) == 1


async def test_a_push_that_lies_or_stalls_changes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    host = make_host(1)
    async with host.run(), raw_peer(host) as raw:
        await raw.claim(ECHO)
        for bad in (b"\x0a\x02\x08\x01", b"\xff" * 9):
            with pytest.raises(MuxedStreamReset):
                await raw.ask("/ipfs/id/push/1.0.0", bad)
        muxed = await raw.open()
        await muxed.write(opening("/ipfs/id/push/1.0.0"))
        with pytest.raises(MuxedStreamReset):
            await muxed.read_all(100)
        assert host.streams_refused == 3
        assert host.protocols_of(raw_id()) == {ECHO}


@pytest.mark.usefixtures("nobody_held")
async def test_a_peer_that_does_not_identify_itself_is_served_all_the_same(
    autojump_clock: trio.testing.MockClock,
) -> None:
    autojump_clock.autojump_threshold = 0.05
    host = make_host(1)
    host.serve(ECHO, echo)

    async def stall(muxed: Any) -> None:
        await trio.sleep_forever()

    async with host.run(), raw_peer(host, answering=stall) as raw:
        await trio.sleep(30)
        assert await raw.ask(ECHO, b"x") == b"x"
        assert host.protocols_of(raw_id()) == frozenset()
        assert host.connections()[0].streams == 0


# -- Ping


@pytest.mark.usefixtures("nobody_held")
async def test_ping_takes_some_time_and_leaves_nothing_open() -> None:
    one, two = make_host(1), make_host(2)
    with trio.fail_after(TEST_S):
        async with acquainted(one, two):
            for _ in range(3):
                assert 0 < await one.ping(two.local_peer, 10) < 10
                assert 0 < await two.ping(one.local_peer, 10) < 10
            await settled(lambda: not one.connections()[0].streams and not two.connections()[0].streams)


# -- Dialling


async def test_a_dead_and_a_wrong_address_are_passed_over_to_the_good_one() -> None:
    dialler, good, wrong = make_host(1), make_host(2), make_host(3)
    good.serve(ECHO, echo)
    with trio.fail_after(TEST_S):
        async with running(dialler, good, wrong):
            dead = address_of_endpoint("127.0.0.1", free_port())
            addrs = (dead, wrong.listen_addrs()[0], good.listen_addrs()[0])
            await dialler.connect(PeerInfo(good.local_peer, addrs))
            assert await dialler.request(good.local_peer, ECHO, b"x", limit_bytes=9) == b"x"
            assert wrong.listen_addrs()[0] not in dialler.addrs_of(good.local_peer)
            await settled(lambda: wrong.connections() == [])


async def test_an_unreachable_peer_is_an_error_that_says_what_each_address_answered() -> None:
    dialler, wrong = make_host(1), make_host(3)
    stranger = peer_id_of(new_identity(b"\x09" * 32))
    with trio.fail_after(TEST_S):
        async with running(dialler, wrong):
            dead = address_of_endpoint("127.0.0.1", free_port())
            with pytest.raises(PeerUnreachableError) as caught:
                await dialler.connect(PeerInfo(stranger, (dead, *wrong.listen_addrs())))
            assert f"{address_text(dead)}: connection refused" in caught.value.message
            assert "somebody else answered there" in caught.value.message
            with pytest.raises(PeerUnreachableError, match="a moment ago"):
                await dialler.open(stranger, [ECHO])


async def test_many_requests_to_a_peer_not_yet_connected_share_one_connection() -> None:
    dialler, listener = make_host(1), make_host(2)
    listener.serve(ECHO, echo)
    answers: list[bytes] = []
    with trio.fail_after(TEST_S):
        async with running(dialler, listener):
            dialler.add_addrs(listener.local_peer, listener.listen_addrs(), ttl_s=60)

            async def ask(number: int, give_up: bool) -> None:
                with trio.CancelScope() as scope:
                    if give_up:
                        scope.cancel()
                    payload = b"%d" % number
                    answers.append(await dialler.request(listener.local_peer, ECHO, payload, limit_bytes=9))

            async with trio.open_nursery() as nursery:
                for number in range(50):
                    nursery.start_soon(ask, number, number % 5 == 0)
            assert sorted(map(int, answers)) == [number for number in range(50) if number % 5]
            assert len(listener.connections()) == 1


async def test_two_who_dial_each_other_at_once_are_both_served() -> None:
    one, two = make_host(1), make_host(2)
    with trio.fail_after(TEST_S):
        async with running(one, two):
            for host, other in ((one, two), (two, one)):
                host.serve(ECHO, echo)
                host.add_addrs(other.local_peer, other.listen_addrs(), ttl_s=60)
            answers: list[bytes] = []

            async def ask(host: Host, other: Host) -> None:
                for number in range(20):
                    answers.append(await host.request(other.local_peer, ECHO, b"%d" % number, limit_bytes=9))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, one, two)
                nursery.start_soon(ask, two, one)
            assert sorted(map(int, answers)) == sorted([*range(20), *range(20)])
            await settled(lambda: len(one.connections()) == len(two.connections()))
            assert 1 <= len(one.connections()) <= 2
            await one.disconnect(two.local_peer)
            await settled(lambda: not two.is_connected(one.local_peer))


async def test_nothing_is_dialled_before_the_host_runs_or_after() -> None:
    host, other = make_host(1), make_host(2)
    async with other.run():
        with pytest.raises(PeerUnreachableError, match="not running"):
            await host.connect(info_of(other))
        async with host.run():
            await host.connect(info_of(other))
        with pytest.raises(PeerUnreachableError, match="not running"):
            await host.connect(info_of(other))
        assert host.connections() == []


# -- Connections come and go


async def test_first_and_last_connections_are_told() -> None:
    bus = EventBus()
    one, two = make_host(1, bus=bus), make_host(2)
    gone: list[PeerId] = []
    one.on_disconnected(gone.append)
    with trio.fail_after(TEST_S), bus.subscribe() as events:
        async with acquainted(one, two):
            await two.disconnect(one.local_peer)
            await settled(lambda: gone == [two.local_peer])
            assert not one.is_connected(two.local_peer)
            assert two.connections() == []
        seen = []
        async for event in events:
            seen.append(event)
            if len(seen) == 2:
                break
    assert seen == [PeerConnected(two.local_peer), PeerDisconnected(two.local_peer)]


async def test_600_connections_one_after_another_are_all_served_and_leave_nothing() -> None:
    server = make_host(250)
    server.serve(ECHO, echo)
    identified = Identified(server)
    diallers = [new_identity(bytes([number]) * 32) for number in range(50)]
    with trio.fail_after(120):
        async with server.run():
            await trio.testing.wait_all_tasks_blocked(0.01)
            before = in_use()
            for number in range(600):
                dialler = make_host(number % len(diallers), listen=())
                told = Identified(dialler)
                async with dialler.run():
                    dialler.add_addrs(server.local_peer, server.listen_addrs(), ttl_s=60)
                    answer = await dialler.request(server.local_peer, ECHO, b"%d" % number, limit_bytes=9)
                    assert answer == b"%d" % number
                    await told.until(1)
                    await identified.until(number + 1)
            await settled(lambda: server.connections() == [])
            await settled(lambda: in_use() == before)
    assert server.streams_refused == 0


def in_use() -> tuple[int, int]:
    """Tasks and descriptors of this process."""
    gc.collect()
    return trio.lowlevel.current_statistics().tasks_living, len(os.listdir("/proc/self/fd"))


async def test_connections_over_the_limit_are_turned_away_and_their_slots_come_back() -> None:
    server = make_host(250, max_connections=2, max_connections_per_peer=1)
    server.serve(ECHO, echo)

    async def is_served(host: Host) -> bool:
        with trio.move_on_after(5):
            try:
                return await host.request(server.local_peer, ECHO, b"x", limit_bytes=9) == b"x"
            except (StreamResetError, PeerUnreachableError):
                return False
        raise AssertionError("neither served nor turned away")

    hosts = [make_host(number, listen=()) for number in range(4)]
    twin = make_host(0, listen=())
    with trio.fail_after(TEST_S):
        async with running(server, *hosts, twin):
            for host in (*hosts, twin):
                host.add_addrs(server.local_peer, server.listen_addrs(), ttl_s=60)
            assert [await is_served(host) for host in (hosts[0], twin, hosts[1], hosts[2])] == [
                True,
                False,
                True,
                False,
            ]
            await hosts[0].disconnect(server.local_peer)
            await settled(lambda: len(server.connections()) == 1)
            assert await is_served(hosts[3])


async def test_a_dialler_at_its_own_limit_says_so_and_closes_what_it_dialled() -> None:
    dialler, one, two = make_host(1, max_connections=1), make_host(2), make_host(3)
    with trio.fail_after(TEST_S):
        async with running(dialler, one, two):
            await dialler.connect(info_of(one))
            with pytest.raises(LimitExceededError, match="max_connections"):
                await dialler.connect(info_of(two))
            await settled(lambda: two.connections() == [])


async def test_20_clients_with_50_requests_each_get_their_own_answers() -> None:
    server = make_host(250)
    server.serve(ECHO, shuffled_echo())
    clients = [make_host(number, listen=()) for number in range(20)]
    with trio.fail_after(TEST_S):
        async with running(server, *clients), trio.open_nursery() as nursery:
            for client in clients:
                client.add_addrs(server.local_peer, server.listen_addrs(), ttl_s=60)
                for number in range(50):
                    nursery.start_soon(ask_for_own, client, server.local_peer, number)
    assert server.streams_refused == 0


async def ask_for_own(client: Host, server: PeerId, number: int) -> None:
    payload = f"{client.local_peer} {number} ".encode() * (1 + number % 7 * 100)
    assert await client.request(server, ECHO, payload, limit_bytes=1 << 20) == payload


def shuffled_echo() -> Callable[[Stream], Any]:
    """Echoes, the later ones often before the earlier."""
    asked = 0

    async def answer(stream: Stream) -> None:
        nonlocal asked
        asked += 1
        data = await stream.read_to_end(1 << 20)
        for _ in range(asked * 7 % 13):
            await trio.lowlevel.checkpoint()
        await stream.write(data[: len(data) // 2])
        await trio.lowlevel.checkpoint()
        await stream.finish(data[len(data) // 2 :])

    return answer


# -- Answers that are not whole


async def test_a_handler_that_fails_halfway_is_no_short_answer() -> None:
    async def fail(stream: Stream) -> None:
        await stream.write(b"x" * 1000)
        raise ProtocolError("enough")

    one, two = make_host(1), make_host(2)
    two.serve(ANSWER, fail)
    two.serve(ECHO, echo)
    with trio.fail_after(TEST_S):
        async with acquainted(one, two):
            with pytest.raises(StreamResetError):
                await one.request(two.local_peer, ANSWER, b"?", limit_bytes=1 << 20)
            with pytest.raises(StreamResetError):
                await take_all(one, two.local_peer, ANSWER, "read")
            assert await one.request(two.local_peer, ECHO, b"x", limit_bytes=9) == b"x"


@pytest.mark.parametrize("how", ["request", "read"])
async def test_a_peer_killed_in_the_middle_of_its_answer_is_no_short_answer(how: str) -> None:
    host = make_host(1)
    with trio.fail_after(TEST_S):
        async with host.run(), child("tests.host.half_answer") as victim:
            peer, addr = parse_peer_address((await victim.hear())["addr"])
            await host.connect(PeerInfo(peer, (addr,)))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(kill_when_halfway, victim)
                with pytest.raises(StreamResetError):
                    await take_all(host, peer, ECHO, how)
            await settled(lambda: host.connections() == [])
            with pytest.raises(PeerUnreachableError):
                await host.open(peer, [ECHO])


async def kill_when_halfway(victim: Any) -> None:
    assert await victim.hear() == {"event": "half"}
    victim.process.kill()


async def take_all(host: Host, peer: PeerId, protocol: str, how: str) -> None:
    if how == "request":
        await host.request(peer, protocol, b"?", limit_bytes=1 << 22)
        return
    stream = await host.open(peer, [protocol])
    await stream.finish(b"?")
    while await stream.read(1 << 16):
        pass


# -- The end


async def test_a_host_says_good_bye_to_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty connections are closed side by side: each close waits here until all thirty have begun."""
    server = make_host(250)
    clients = [make_host(number, listen=()) for number in range(30)]
    begun, all_begun = 0, trio.Event()
    close = Connection.close

    async def close_together(connection: Connection) -> None:
        nonlocal begun
        if connection.direction == "inbound":
            begun += 1
            if begun == len(clients):
                all_begun.set()
            await all_begun.wait()
        await close(connection)

    with trio.fail_after(TEST_S):
        async with running(*clients):
            async with server.run():
                for client in clients:
                    await client.connect(info_of(server))
                await settled(lambda: len(server.connections()) == 30)
                ports = [endpoint_of(addr) for addr in server.listen_addrs()]
                monkeypatch.setattr(Connection, "close", close_together)
            assert all_begun.is_set()
            assert server.connections() == []
            await settled(lambda: all(client.connections() == [] for client in clients))
            for endpoint in ports:
                assert endpoint is not None
                with pytest.raises(OSError, match="failed"):
                    await trio.open_tcp_stream(endpoint.host, endpoint.port)


@pytest.mark.usefixtures("nobody_held")
async def test_a_peer_that_does_not_read_does_not_hold_up_the_end() -> None:
    async def pour(stream: Stream) -> None:
        while True:
            await stream.write(bytes(1 << 16))

    server = make_host(250)
    server.serve(ANSWER, pour)
    with trio.fail_after(TEST_S):
        async with server.run(), raw_peer(server) as raw:
            await (await raw.open()).finish(opening(ANSWER))
            await settled(lambda: server.connections()[0].streams == 1)
            with trio.fail_after(5):
                await server._close()


async def test_streams_under_way_break_off_at_the_end() -> None:
    began = trio.Event()

    async def hold(stream: Stream) -> None:
        began.set()
        await trio.sleep_forever()

    one, two = make_host(1), make_host(2)
    with trio.fail_after(TEST_S):
        async with one.run(), trio.open_nursery() as nursery, two.run():
            two.serve(ANSWER, hold)
            await one.connect(info_of(two))
            nursery.start_soon(expect_reset, one, two.local_peer)
            await began.wait()


async def expect_reset(host: Host, peer: PeerId) -> None:
    with pytest.raises(StreamResetError):
        await host.request(peer, ANSWER, b"", limit_bytes=9)


async def test_a_host_that_cannot_listen_says_where_and_leaves_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}"
        first = free_port()
        host = make_host(1, listen=(f"/ip4/127.0.0.1/tcp/{first}", text))
        with pytest.raises(ListenError, match=text):
            async with host.run():
                raise AssertionError("it must not run")
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", first)) != 0


async def test_an_error_within_the_block_comes_out_bare() -> None:
    with pytest.raises(UnsupportedProtocolError):
        async with make_host(1).run():
            raise UnsupportedProtocolError("from within")
