"""A protocol that is served no longer: peers are told, new streams refused, those under way served on."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing
from libp2p.stream_muxer.exceptions import MuxedStreamReset

from chiral.errors import UnsupportedProtocolError
from chiral.host.multistream import opening
from chiral.interface.streams import Stream
from tests.host.running import ECHO, TEST_S, Identified, acquainted, echo, info_of, make_host, raw_peer, running


async def test_peers_are_told_and_new_streams_refused() -> None:
    one, two = make_host(1), make_host(2)
    began = trio.Event()

    async def slow_echo(stream: Stream) -> None:
        began.set()
        await echo(stream)

    two.serve(ECHO, slow_echo)
    with trio.fail_after(TEST_S):
        async with acquainted(one, two):
            under_way = await one.open(two.local_peer, [ECHO])
            await under_way.write(b"be")
            await began.wait()
            heard = Identified(one)
            two.unserve(ECHO)
            await heard.until(1)
            assert ECHO not in one.protocols_of(two.local_peer)
            with pytest.raises(UnsupportedProtocolError):
                await one.open(two.local_peer, [ECHO])
            await under_way.finish(b"fore")
            assert await under_way.read_to_end(9) == b"before"
            two.serve(ECHO, echo)
            await heard.until(2)
            assert await one.request(two.local_peer, ECHO, b"after", limit_bytes=9) == b"after"


async def test_what_was_never_served_is_no_news() -> None:
    one, two = make_host(1), make_host(2)
    with trio.fail_after(TEST_S):
        async with acquainted(one, two):
            heard = Identified(one)
            two.unserve(ECHO)
            await trio.testing.wait_all_tasks_blocked(0.02)
            assert heard.peers == []


async def test_a_stream_agreed_on_while_its_protocol_ended_is_reset(caplog: pytest.LogCaptureFixture) -> None:
    host = make_host(1)

    class Ended(dict[str, object]):
        def __contains__(self, protocol: object) -> bool:
            return protocol == ECHO

    with trio.fail_after(TEST_S), caplog.at_level(logging.WARNING):
        async with running(host), raw_peer(host) as raw:
            host._inbound._handlers = Ended()  # type: ignore[assignment]
            muxed = await raw.open()
            await muxed.finish(opening(ECHO) + b"x")
            with pytest.raises(MuxedStreamReset):
                await muxed.read_all(9)
    assert not caplog.messages


async def test_where_connections_lead_is_told_whatever_the_peer_says() -> None:
    one, two = make_host(1), make_host(2)
    with trio.fail_after(TEST_S):
        assert one.remote_addrs(two.local_peer) == ()
        async with acquainted(one, two):
            one.add_addrs(two.local_peer, [info_of(one).addrs[0]], ttl_s=60.0)
            assert one.remote_addrs(two.local_peer) == two.listen_addrs()
            (back,) = two.remote_addrs(one.local_peer)
            assert back[:5] == one.listen_addrs()[0][:5]
            assert back != one.listen_addrs()[0]
