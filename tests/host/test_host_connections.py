"""Connections of a host come and go: their slots come back, many are served at once, faults stay in one of them."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from chiral.errors import (
    LimitExceededError,
    PeerUnreachableError,
    RemoteError,
    StreamResetError,
)
from chiral.events.bus import EventBus
from chiral.events.types import PeerConnected, PeerDisconnected
from chiral.host.connection import Connection
from chiral.host.host import Host
from chiral.host.reception import Reception
from chiral.interface.peer import PeerId
from chiral.interface.streams import Stream
from tests.host.running import ECHO, TEST_S, Identified, acquainted, echo, info_of, make_host, running, settled


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
    diallers = [make_host(number, listen=()) for number in range(20)]
    told = [Identified(dialler) for dialler in diallers]
    with trio.fail_after(2 * TEST_S):
        async with server.run(), running(*diallers):
            await trio.testing.wait_all_tasks_blocked(0.01)
            before = in_use()
            for number in range(600):
                dialler = diallers[number % 20]
                dialler.add_addrs(server.local_peer, server.listen_addrs(), ttl_s=60)
                answer = await dialler.request(server.local_peer, ECHO, b"%d" % number, limit_bytes=9)
                assert answer == b"%d" % number
                await told[number % 20].until(number // 20 + 1)
                await identified.until(number + 1)
                await dialler.disconnect(server.local_peer)
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


@pytest.mark.parametrize("where", ["receive", "run"])
async def test_a_fault_of_ours_in_one_connection_harms_no_other(
    where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("a fault of ours")

    server, one, two = make_host(250), make_host(1), make_host(2)
    server.serve(ECHO, echo)
    with trio.fail_after(TEST_S):
        async with running(server, one, two):
            with monkeypatch.context() as broken:
                broken.setattr(*((Reception, "receive", fail) if where == "receive" else (Connection, "run", fail)))
                one.add_addrs(server.local_peer, server.listen_addrs(), ttl_s=60)
                with pytest.raises(RemoteError):
                    await one.request(server.local_peer, ECHO, b"x", limit_bytes=9)
            assert "a fault of ours" in caplog.text
            two.add_addrs(server.local_peer, server.listen_addrs(), ttl_s=60)
            assert await two.request(server.local_peer, ECHO, b"x", limit_bytes=9) == b"x"


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
