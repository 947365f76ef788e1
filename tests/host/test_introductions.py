"""Identify at work: both sides learn who the other is, are told when that changes, and bear with who lies or stalls."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from libp2p.stream_muxer.exceptions import MuxedStreamReset

from chiral.host.multistream import opening
from chiral.interface.peer import PeerId, PeerInfo
from tests.host.running import ECHO, TEST_S, Identified, acquainted, echo, make_host, raw_id, raw_peer, settled

PING = "/ipfs/ping/1.0.0"


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


async def test_a_peer_that_takes_no_push_costs_the_others_nothing() -> None:
    host, other = make_host(1), make_host(2)

    async def reset(muxed: Any) -> None:
        await muxed.read(100)
        await muxed.reset()

    with trio.fail_after(TEST_S):
        async with acquainted(other, host), raw_peer(host, answering=reset) as raw:
            await raw.claim(ECHO, "/ipfs/id/push/1.0.0")
            heard = Identified(other)
            host.serve(ECHO, echo)
            await heard.until(1)
            assert ECHO in other.protocols_of(host.local_peer)


async def test_a_listener_of_ours_that_fails_harms_no_connection() -> None:
    def fail(peer: PeerId) -> None:
        raise ValueError("a fault of ours")

    one, two = make_host(1), make_host(2)
    for host in (one, two):
        host.serve(ECHO, echo)
        host.on_identified(fail)
        host.on_disconnected(fail)
    with trio.fail_after(TEST_S):
        async with acquainted(one, two):
            assert await one.request(two.local_peer, ECHO, b"x", limit_bytes=9) == b"x"
            await one.disconnect(two.local_peer)
            await settled(lambda: two.connections() == [])
            assert await one.request(two.local_peer, ECHO, b"x", limit_bytes=9) == b"x"


@pytest.mark.usefixtures("nobody_held")
async def test_ping_takes_some_time_and_leaves_nothing_open() -> None:
    one, two = make_host(1), make_host(2)
    with trio.fail_after(TEST_S):
        async with acquainted(one, two):
            for _ in range(3):
                assert 0 < await one.ping(two.local_peer, 10) < 10
                assert 0 < await two.ping(one.local_peer, 10) < 10
            await settled(lambda: not one.connections()[0].streams and not two.connections()[0].streams)
