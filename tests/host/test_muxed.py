"""`FastMuxed` over loopback: against itself and against py-libp2p's Yamux, whole and broken in every way."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.stream_muxer.exceptions import (
    MuxedConnUnavailable,
    MuxedStreamClosed,
    MuxedStreamEOF,
    MuxedStreamReset,
)

from chiral.errors import LimitExceededError
from chiral.host.muxed import FastMuxed
from chiral.host.muxed_stream import FastStream
from chiral.yamux.frame import YamuxError, header
from chiral.yamux.limits import YamuxLimits
from tests.host.child import child
from tests.host.muxer import FastMuxer
from tests.host.wire import End, both, connected, echo, fast, hostile_to_one, read_to_end, serve, tcp_pair

MIB = 1 << 20


def pattern(size: int, salt: int = 0) -> bytes:
    """`size` bytes that are different for each `salt` and do not repeat within a window."""
    block = hashlib.shake_128(salt.to_bytes(4, "big")).digest(65_521)
    return (block * (size // len(block) + 1))[:size]


async def open_pair(ours: FastMuxed, theirs: FastMuxed) -> tuple[FastStream, FastStream]:
    """A stream of ours, as both ends hold it."""
    stream = await ours.open_stream()
    await stream.flush()
    return stream, await theirs.accept_stream()


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
async def test_echo_of_many_sizes(first: bool, second: bool) -> None:
    async with connected(End(fast=first), End(fast=second)) as (ours, theirs), trio.open_nursery() as nursery:
        nursery.start_soon(serve, theirs, echo)
        nursery.start_soon(serve, ours, echo)
        for source in (ours, theirs):
            for size in (1, 100, 65_507, 65_508, 262_144, 262_153, 3 * MIB):
                stream = await source.open_stream()
                data = pattern(size, size)
                await stream.write(data)
                await stream.close()
                assert await read_to_end(stream) == data
        nursery.cancel_scope.cancel()


async def until_measured(*ends: FastMuxed) -> None:
    """Wait for the answers to the first pings: then no frames are under way but the test's own."""
    while any(end.rtt_s is None for end in ends):
        await trio.testing.wait_all_tasks_blocked()


async def test_a_request_is_one_flight() -> None:
    async with connected() as (ours, theirs):
        stream = await ours.open_stream()
        await until_measured(ours, theirs)
        before = theirs.machine.frames_received
        await stream.finish(b"request")
        received = await theirs.accept_stream()
        assert await received.read_all(100) == b"request"
        assert theirs.machine.frames_received == before + 2


async def test_a_write_and_the_close_after_it_are_one_flight() -> None:
    async with connected() as (ours, theirs):
        stream = await ours.open_stream()
        await until_measured(ours, theirs)
        before = theirs.machine.frames_received
        await stream.write(b"request")
        await stream.close_write()
        await theirs.accept_stream()
        assert theirs.machine.frames_received == before + 2


async def test_half_close() -> None:
    async with connected() as (ours, theirs):
        stream, remote = await open_pair(ours, theirs)
        await stream.finish(b"question")
        assert await read_to_end(remote) == b"question"
        await remote.write(pattern(200_000))
        assert not stream.is_closed
        await remote.close()
        assert await read_to_end(stream) == pattern(200_000)
        assert stream.is_closed
        assert remote.is_closed
        with pytest.raises(MuxedStreamEOF):
            await stream.read()
        with pytest.raises(MuxedStreamClosed):
            await stream.write(b"x")
        assert ours.stream_count == theirs.stream_count == 0


async def test_reads_of_a_given_size() -> None:
    async with connected() as (ours, theirs):
        stream, remote = await open_pair(ours, theirs)
        await stream.write(b"0123456789")
        assert await remote.read(0) == b""
        assert await remote.read(3) == b"012"
        assert await remote.peek(4) == b"3456"
        remote.unread(b"ab")
        assert remote.peek_buffered(3) == b"ab3"
        assert remote.buffered_bytes == 9
        assert await remote.read(4) == b"ab34"
        assert await remote.read(-1) == b"56789"
        await stream.finish(b"end")
        assert await remote.peek(100, at_least=50) == b"end"
        assert await remote.read() == b"end"
        with pytest.raises(MuxedStreamEOF):
            await remote.peek(1)


async def test_peek_waits_for_as_much_as_is_asked() -> None:
    async with connected() as (ours, theirs), trio.open_nursery() as nursery:
        stream, remote = await open_pair(ours, theirs)
        seen: list[bytes] = []

        async def peek() -> None:
            seen.append(await remote.peek(100, at_least=6))

        nursery.start_soon(peek)
        await stream.write(b"abc")
        await trio.testing.wait_all_tasks_blocked()
        assert seen == []
        await stream.write(b"def")
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert seen == [b"abcdef"]


@pytest.mark.parametrize(("first", "second"), [(True, True), (False, True)])
async def test_a_reset_reads_as_a_reset(first: bool, second: bool) -> None:
    async with connected(End(fast=first), End(fast=second)) as (ours, theirs):
        stream = await ours.open_stream()
        await stream.write(b"q")
        remote = await theirs.accept_stream()
        assert await remote.read(1) == b"q"
        await stream.write(pattern(100_000))
        await trio.testing.wait_all_tasks_blocked(0.02)
        await stream.reset()
        with pytest.raises(MuxedStreamReset):
            await read_to_end(remote)
        with pytest.raises(MuxedStreamReset):
            await remote.write(b"x")
        with pytest.raises(MuxedStreamReset):
            await remote.read_all(1)
        assert fast(theirs).stream_count == 0


async def test_what_was_reset_here() -> None:
    async with connected() as (ours, theirs):
        stream, remote = await open_pair(ours, theirs)
        async with trio.open_nursery() as nursery:

            async def read() -> None:
                with pytest.raises(MuxedStreamReset):
                    await stream.read()

            async def write() -> None:
                with pytest.raises(MuxedStreamReset):
                    await stream.write(bytes(MIB))

            nursery.start_soon(read)
            nursery.start_soon(write)
            await trio.testing.wait_all_tasks_blocked()
            await stream.reset()
        assert stream.is_reset
        await stream.reset()
        await stream.close()
        with pytest.raises(MuxedStreamReset):
            await read_to_end(remote)


async def test_what_was_reset_here_after_its_end_does_not_read_as_an_empty_whole() -> None:
    async with connected() as (ours, theirs):
        stream, remote = await open_pair(ours, theirs)
        await stream.finish()
        await remote.finish(b"answer")
        assert await stream.peek(10) == b"answer"
        assert stream.is_closed
        await stream.reset()
        with pytest.raises(MuxedStreamReset):
            await stream.read_all(10)
        with pytest.raises(MuxedStreamReset):
            await stream.read()


async def test_a_context_resets_on_error_and_ends_otherwise() -> None:
    async with connected() as (ours, theirs):
        stream, remote = await open_pair(ours, theirs)
        async with stream:
            await stream.write(b"whole")
        assert await read_to_end(remote) == b"whole"
        stream, remote = await open_pair(ours, theirs)
        with pytest.raises(RuntimeError):
            async with stream:
                raise RuntimeError
        with pytest.raises(MuxedStreamReset):
            await remote.read()


async def test_an_abandoned_stream() -> None:
    async with connected() as (ours, theirs):
        stream, remote = await open_pair(ours, theirs)
        await stream.write(b"nobody reads this")
        await remote.write(b"answer")
        await remote.abandon()
        assert await read_to_end(stream) == b"answer"
        with pytest.raises(MuxedStreamReset, match="closed here"):
            await remote.read()
        with pytest.raises(MuxedStreamReset, match="closed here"):
            await remote.read_all(100)
        with pytest.raises(MuxedStreamReset):
            await stream.write(bytes(MIB))
        assert ours.stream_count == theirs.stream_count == 0


async def test_an_answer_over_its_limit() -> None:
    async with connected() as (ours, theirs), trio.open_nursery() as nursery:
        stream, remote = await open_pair(ours, theirs)
        await remote.finish(bytes(1000))
        assert await stream.read_all(1000) == bytes(1000)
        stream, remote = await open_pair(ours, theirs)

        async def send_for_ever() -> None:
            with pytest.raises(MuxedStreamReset):
                await remote.write(bytes(64 * MIB))

        nursery.start_soon(send_for_ever)
        with pytest.raises(LimitExceededError, match="300000"):
            await stream.read_all(300_000)
        assert stream.buffered_bytes < 2 * MIB
        await stream.reset()


async def die(ours: FastMuxed) -> None:
    """Close the socket as a process that is killed does."""
    await ours.secured_conn._raw.close()


async def test_a_dead_peer_reads_as_a_reset_and_closes_the_connection() -> None:
    async with connected() as (ours, theirs):
        deaths: list[FastMuxed] = []
        theirs.on_death.append(deaths.append)
        stream, remote = await open_pair(ours, theirs)
        await stream.write(pattern(100_000))
        await trio.testing.wait_all_tasks_blocked(0.02)
        await die(ours)
        with pytest.raises(MuxedStreamReset):
            await read_to_end(remote)
        await theirs.event_closed.wait()
        assert theirs.is_closed
        assert not theirs.is_established
        assert theirs.death is not None
        assert deaths == [theirs]
        with pytest.raises(MuxedConnUnavailable):
            await theirs.accept_stream()
        with pytest.raises(MuxedConnUnavailable):
            await theirs.open_stream()


async def test_everybody_who_waits_is_told_of_the_death() -> None:
    async with connected(End(limits=YamuxLimits(max_outbound_streams=2))) as (ours, theirs):
        stalled, _ = await open_pair(ours, theirs)
        idle, _ = await open_pair(ours, theirs)

        async def expect(error: type[Exception], waiting: Awaitable[Any]) -> None:
            with pytest.raises(error):
                await waiting

        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect, MuxedStreamReset, stalled.write(bytes(MIB)))
            nursery.start_soon(expect, MuxedStreamReset, idle.read())
            nursery.start_soon(expect, MuxedConnUnavailable, ours.open_stream())
            nursery.start_soon(expect, MuxedConnUnavailable, ours.accept_stream())
            await trio.testing.wait_all_tasks_blocked()
            await die(theirs)


async def test_close_is_quick_and_tells_the_peer() -> None:
    async with connected() as (ours, theirs):
        finished, remote = await open_pair(ours, theirs)
        unfinished, cut = await open_pair(ours, theirs)
        await unfinished.write(b"part")
        await finished.finish(b"whole")
        await ours.close()
        assert ours.is_closed
        assert ours.death is None
        await ours.close()
        await theirs.event_closed.wait()
        assert theirs.machine.going_away == 0
        with pytest.raises(MuxedStreamReset):
            await read_to_end(cut)
        assert await remote.read() == b"whole"


async def test_close_does_not_wait_for_a_stalled_peer() -> None:
    async with connected() as (ours, theirs):
        streams = [await ours.open_stream() for _ in range(40)]
        theirs._scope.cancel()
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(write_until_reset, stream)
            await trio.testing.wait_all_tasks_blocked(0.02)
            with trio.fail_after(5):
                await ours.close()


async def write_until_reset(stream: FastStream) -> None:
    with pytest.raises(MuxedStreamReset):
        await stream.write(bytes(MIB))


async def test_over_a_transport_that_is_not_tcp() -> None:
    dialler, listener = End(), End()
    dialled, accepted = await tcp_pair()
    ours, theirs = await both(dialler.upgrade(dialled, listener.peer_id), listener.upgrade(accepted))
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for end in (ours, theirs):
                end.secured_conn._tcp = None
                nursery.start_soon(end.start)
            nursery.start_soon(serve, theirs, echo)
            for number in range(10):
                streams = [await ours.open_stream() for _ in range(10)]
                for stream in streams:
                    await stream.finish(pattern(40_000, number))
                for stream in streams:
                    assert await stream.read_all(MIB) == pattern(40_000, number)
            await ours.close()
            await theirs.event_closed.wait()


async def test_close_before_start() -> None:
    dialler, listener = End(), End()
    dialled, accepted = await tcp_pair()
    ours, theirs = await both(dialler.upgrade(dialled, listener.peer_id), listener.upgrade(accepted))
    assert not ours.is_established
    await ours.close()
    await ours.start()
    assert ours.event_started.is_set()
    assert ours.is_closed
    await theirs.start()
    assert theirs.is_closed


async def test_the_peer_that_goes_away_is_let_go_when_its_streams_are_over() -> None:
    async with connected() as (ours, theirs):
        stream, remote = await open_pair(ours, theirs)
        ours.machine._outbox.control(3, 0, 0, 0)
        ours.nudge()
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert not theirs.is_closed
        with pytest.raises(MuxedConnUnavailable):
            await theirs.open_stream()
        await stream.finish(b"last")
        assert await remote.read_all(10) == b"last"
        await remote.finish(b"words")
        await theirs.event_closed.wait()
        assert await stream.read_all(10) == b"words"


async def test_a_broken_rule_ends_the_connection_and_is_told() -> None:
    async with hostile_to_one() as (hostile, victim):
        await hostile.write(header(0, 1, 1, 0))
        stream = await victim.accept_stream()
        await hostile.write(header(0, 1, 2, 0))
        await victim.event_closed.wait()
        assert isinstance(victim.death, YamuxError)
        with pytest.raises(MuxedStreamReset):
            await stream.read()
        told = b""
        with suppress(ConnectionClosedError):
            while True:
                told += await hostile.read()
        assert told.endswith(header(3, 0, 0, 1))


async def test_forty_cancelled_writes_leave_the_connection_whole() -> None:
    async with connected() as (ours, theirs), trio.open_nursery() as nursery:
        nursery.start_soon(serve, theirs, swallow)
        for number in range(40):
            stream = await ours.open_stream()
            with trio.move_on_after(0.0002 * number):
                await stream.write(pattern(8 * MIB))
            await stream.reset()
        nursery.cancel_scope.cancel()
    async with connected() as (ours, theirs), trio.open_nursery() as nursery:
        nursery.start_soon(serve, theirs, echo_unless_reset)
        for number in range(40):
            cut = await ours.open_stream()
            with trio.move_on_after(0.0002 * number):
                await cut.write(pattern(2 * MIB))
            await cut.close()
            with suppress(MuxedStreamReset):
                assert await cut.read_all(3 * MIB) in (b"", pattern(2 * MIB)), "a part must not pass as whole"
        stream = await ours.open_stream()
        await stream.finish(pattern(MIB))
        assert await stream.read_all(2 * MIB) == pattern(MIB)
        nursery.cancel_scope.cancel()


async def test_closing_while_a_write_waits_is_a_reset() -> None:
    async with connected() as (ours, theirs), trio.open_nursery() as nursery:
        for end in (FastStream.close, FastStream.abandon):
            stream, remote = await open_pair(ours, theirs)
            nursery.start_soon(write_until_reset, stream)
            await trio.testing.wait_all_tasks_blocked(0.02)
            await end(stream)
            with pytest.raises(MuxedStreamReset):
                await read_to_end(remote)


async def swallow(stream: Any) -> None:
    with suppress(MuxedStreamReset):
        await read_to_end(stream)


async def echo_unless_reset(stream: Any) -> None:
    with suppress(MuxedStreamReset):
        await echo(stream)


async def test_a_write_after_one_that_was_cut_short_does_not_make_it_whole() -> None:
    async with connected() as (ours, theirs):
        stream, remote = await open_pair(ours, theirs)
        with trio.move_on_after(0.02):
            await stream.write(bytes(MIB))
        reading = await remote.read()
        while len(reading) < 262_144:
            reading += await remote.read()
        await stream.write(b"more")
        await stream.close()
        with pytest.raises(MuxedStreamReset):
            await read_to_end(remote)


async def test_cancelled_reads_lose_nothing() -> None:
    async with connected() as (ours, theirs):
        stream, remote = await open_pair(ours, theirs)
        received = b""
        for number in range(20):
            with trio.move_on_after(0.001):
                received += await remote.read()
            await stream.write(bytes([number]))
        await stream.close()
        assert received + await read_to_end(remote) == bytes(range(20))


async def test_a_stalled_reader_stops_no_other_stream() -> None:
    async with connected() as (ours, theirs), trio.open_nursery() as nursery:
        stalled, _ = await open_pair(ours, theirs)
        nursery.start_soon(write_until_reset, stalled)
        await trio.testing.wait_all_tasks_blocked(0.02)
        nursery.start_soon(serve, theirs, echo)
        for number in range(20):
            stream = await ours.open_stream()
            async with trio.open_nursery() as both_ways:
                both_ways.start_soon(stream.finish, pattern(2 * MIB, number))
                assert await stream.read_all(3 * MIB) == pattern(2 * MIB, number)
        await stalled.reset()
        nursery.cancel_scope.cancel()


async def test_writers_share_the_backlog() -> None:
    limits = YamuxLimits(send_backlog_bytes=300_000, ping_interval_s=3600)
    async with connected(End(limits=limits), End(limits=limits)) as (ours, theirs), trio.open_nursery() as nursery:
        nursery.start_soon(serve, theirs, echo)
        done: list[int] = []

        async def exchange(number: int) -> None:
            stream = await ours.open_stream()
            async with trio.open_nursery() as both_ways:
                both_ways.start_soon(stream.finish, pattern(MIB, number))
                assert await read_to_end(stream) == pattern(MIB, number)
            done.append(number)

        async with trio.open_nursery() as writers:
            for number in range(12):
                writers.start_soon(exchange, number)
        assert len(done) == 12
        assert ours.machine.backlog_bytes == 0
        nursery.cancel_scope.cancel()


async def test_a_turn_that_is_not_used_is_passed_on() -> None:
    limits = YamuxLimits(send_backlog_bytes=262_144, ping_interval_s=3600)
    async with connected(End(limits=limits)) as (ours, theirs), trio.open_nursery() as nursery:
        pairs = [await open_pair(ours, theirs) for _ in range(6)]
        scopes = [trio.CancelScope() for _ in pairs]

        async def write(stream: FastStream, scope: trio.CancelScope) -> None:
            with scope:
                await stream.finish(pattern(500_000))

        for (stream, _), scope in zip(pairs, scopes, strict=True):
            nursery.start_soon(write, stream, scope)
        await trio.testing.wait_all_tasks_blocked()
        for scope in scopes[:5]:
            scope.cancel()
        assert await pairs[5][1].read_all(MIB) == pattern(500_000)


async def test_a_thousand_concurrent_streams() -> None:
    async with connected() as (ours, theirs), trio.open_nursery() as nursery:
        nursery.start_soon(serve, theirs, echo)
        done: list[int] = []

        async def exchange(number: int) -> None:
            stream = await ours.open_stream()
            await stream.finish(pattern(5000, number))
            assert await stream.read_all(6000) == pattern(5000, number)
            done.append(number)

        async with trio.open_nursery() as many:
            for number in range(1000):
                many.start_soon(exchange, number)
        assert len(done) == 1000
        assert ours.stream_count == theirs.stream_count == 0
        nursery.cancel_scope.cancel()


async def test_two_thousand_streams_leave_nothing_behind() -> None:
    async with connected() as (ours, theirs), trio.open_nursery() as nursery:
        nursery.start_soon(serve, theirs, echo)

        async def exchange() -> None:
            stream = await ours.open_stream()
            await stream.finish(b"q")
            assert await stream.read_all(10) == b"q"

        for _ in range(100):
            await exchange()
        gc.collect()
        before = len([thing for thing in gc.get_objects() if isinstance(thing, FastStream)])
        for _ in range(2000):
            await exchange()
        gc.collect()
        after = len([thing for thing in gc.get_objects() if isinstance(thing, FastStream)])
        assert after <= before + 2
        assert ours.stream_count == theirs.stream_count == 0
        assert ours.machine.unread_bytes == theirs.machine.unread_bytes == 0
        nursery.cancel_scope.cancel()


async def test_opening_waits_for_a_slot() -> None:
    async with connected(End(limits=YamuxLimits(max_unacknowledged=2))) as (ours, theirs):
        first, second = await ours.open_stream(), await ours.open_stream()
        opened: list[FastStream] = []

        async def open_third() -> None:
            opened.append(await ours.open_stream())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(open_third)
            await trio.testing.wait_all_tasks_blocked()
            assert opened == []
            await first.reset()
            await trio.testing.wait_all_tasks_blocked()
            assert len(opened) == 1
            nursery.start_soon(open_third)
            await trio.testing.wait_all_tasks_blocked()
            assert len(opened) == 1
            await second.flush()
            remote = await theirs.accept_stream()
            await remote.flush()
        assert len(opened) == 2


async def test_a_flood_of_frames_on_one_connection_does_not_hold_up_another() -> None:
    async with hostile_to_one() as (hostile, victim), connected() as (ours, theirs), trio.open_nursery() as nursery:
        await hostile.write(header(0, 1, 1, 0))
        nursery.start_soon(swallow, await victim.accept_stream())
        nursery.start_soon(serve, theirs, echo)
        frames = 5000 * (header(0, 0, 1, 1) + b"x")

        async def flood() -> None:
            while True:
                await hostile.write(frames)

        nursery.start_soon(flood)
        for number in range(50):
            quick = await ours.open_stream()
            await quick.finish(pattern(10_000, number))
            assert await quick.read_all(20_000) == pattern(10_000, number)
        nursery.cancel_scope.cancel()


async def test_a_flood_of_streams_ends_that_connection_alone() -> None:
    async with hostile_to_one() as (hostile, victim), connected() as (ours, theirs), trio.open_nursery() as nursery:
        nursery.start_soon(serve, victim, swallow)
        nursery.start_soon(serve, theirs, echo)

        async def flood() -> None:
            with suppress(ConnectionClosedError):
                for number in range(100_000):
                    await hostile.write(header(0, 1, 2 * number + 1, 0) + header(1, 8, 2 * number + 1, 0))

        nursery.start_soon(flood)
        await victim.event_closed.wait()
        assert isinstance(victim.death, YamuxError)
        quick = await ours.open_stream()
        await quick.finish(b"unharmed")
        assert await quick.read_all(20) == b"unharmed"
        nursery.cancel_scope.cancel()


async def test_round_trip_and_bytes_are_known() -> None:
    async with connected() as (ours, theirs):
        stream, remote = await open_pair(ours, theirs)
        await stream.finish(b"x" * 1000)
        assert await remote.read_all(2000) == b"x" * 1000
        await until_measured(ours, theirs)
        assert ours.rtt_s is not None
        assert 0 < ours.rtt_s < 5
        assert theirs.bytes_received > 1000
        assert theirs.bytes_received <= ours.bytes_sent
        assert ours.is_initiator
        assert not theirs.is_initiator
        assert ours.get_remote_address() is not None
        assert ours.get_transport_addresses()
        assert ours.get_connection_type().value == "direct"
        assert stream.get_remote_address() == ours.get_remote_address()
        assert stream.is_initiator
        assert stream.stream_id == remote.stream_id == 1
        stream.set_deadline(1)


@pytest.mark.parametrize("stacks", ["fast fast", "fast stock", "stock fast"])
async def test_whole_py_libp2p_hosts(stacks: str) -> None:
    with trio.fail_after(60):
        async with child("tests.host.swarm_pair") as pair:
            await pair.tell(stacks)
            told = await pair.hear()
    broken = "StreamReset" if stacks.startswith("fast") else "end"  # py-libp2p's own Yamux cannot tell
    assert told == {
        "echo": True,
        "half_close": True,
        "reset": broken,
        "death": broken,
        "many": 300,
        "streams_left": 0,
    }


async def test_only_chirals_own_session_carries_it() -> None:
    dialler, listener = End(fast_noise=False), End(fast=False)
    dialled, accepted = await tcp_pair()
    with pytest.raises(BaseExceptionGroup) as caught:
        await both(dialler.upgrade(dialled, listener.peer_id), listener.upgrade(accepted))
    assert caught.group_contains(TypeError, match="FastSession")


async def test_the_negotiated_protocols_are_left_for_the_swarm() -> None:
    async with connected() as (ours, _):
        assert ours.negotiated_muxer_protocol == "/yamux/1.0.0"
        assert ours.negotiated_security_protocol == "/noise"
    assert FastMuxer().transports


async def test_a_peer_that_stops_answering_is_noticed() -> None:
    quick = YamuxLimits(ping_interval_s=0.05, ping_timeout_s=0.05)
    dialler, listener = End(limits=quick), End()
    dialled, accepted = await tcp_pair()
    ours, theirs = await both(dialler.upgrade(dialled, listener.peer_id), listener.upgrade(accepted))
    assert not theirs.is_closed
    await ours.start()
    assert isinstance(ours.death, YamuxError)
    assert "answered nothing" in str(ours.death)
    await theirs.close()


async def test_an_idle_connection_gives_its_buffers_back() -> None:
    limits = YamuxLimits(ping_interval_s=0.05, ping_timeout_s=5.0)
    async with connected(End(limits=limits), End()) as (ours, theirs), trio.open_nursery() as nursery:
        nursery.start_soon(serve, theirs, echo)
        stream = await ours.open_stream()
        await stream.finish(pattern(MIB))
        assert len(await stream.read_all(2 * MIB)) == MIB
        assert ours.secured_conn.sealer.capacity_bytes > 100_000
        while ours.secured_conn.sealer.capacity_bytes > 8192:
            await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()
