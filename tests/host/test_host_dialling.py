"""Dialling as a whole, over real sockets: bad addresses before good ones, dials shared, two who dial each other."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from chiral.errors import (
    PeerUnreachableError,
)
from chiral.host.addresses import address_of_endpoint, address_text
from chiral.host.host import Host
from chiral.host.identity import new_identity, peer_id_of
from chiral.interface.peer import PeerInfo
from tests.host.running import ECHO, TEST_S, echo, free_port, info_of, make_host, running, settled


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
