"""Inbound dispatch against remotes that break every rule: their stream's trouble alone, others are served beside it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from libp2p.stream_muxer.exceptions import MuxedStreamReset
from trio.testing import MockClock

from chiral.errors import ProtocolError, StoreError
from chiral.host.host import Host
from chiral.host.multistream import HEADER, NA, line, opening
from chiral.interface.streams import Stream
from tests.host.running import ECHO, RawPeer, echo, make_host, raw_peer, settled

pytestmark = pytest.mark.usefixtures("nobody_held")

HELD = "/test/held/1.0.0"


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Host, RawPeer]]:
    """A host that serves `ECHO`, and a raw peer connected to it."""
    host = make_host(1)
    host.serve(ECHO, echo)
    with trio.fail_after(60):
        async with host.run(), raw_peer(host) as raw:
            yield host, raw


async def assert_unharmed(host: Host, raw: RawPeer) -> None:
    """The same connection is still served, and so is everybody else."""
    assert await raw.ask(ECHO, b"still here") == b"still here"
    async with raw_peer(host, number=98) as other:
        assert await other.ask(ECHO, b"me too") == b"me too"


BAD_OPENINGS = {
    "not multistream": b"GET / HTTP/1.1\r\n\r\n",
    "wrong header": line("/multistream/9.9.9"),
    "varint without end": b"\xff" * 64,
    "varint without end after the header": HEADER + b"\xff" * 64,
    "frame over the limit": HEADER + b"\x81\x08" + b"x" * 1024 + b"\n",
    "frame of 2^62 bytes": HEADER + b"\xff\xff\xff\xff\xff\xff\xff\xff\x3f" + b"x" * 100,
    "empty frame": HEADER + b"\x00",
    "no end of line": HEADER + b"\x04/abc",
    "length not minimal": HEADER + b"\x81\x00x",
    "proposals without end": HEADER + line("/nobody/1") * 100,
}


@pytest.mark.parametrize("said", BAD_OPENINGS.values(), ids=BAD_OPENINGS)
async def test_a_bad_opening_resets_its_stream_alone(said: bytes) -> None:
    async with echoing() as (host, raw):
        muxed = await raw.open()
        await muxed.write(said)
        with pytest.raises(MuxedStreamReset):
            await muxed.read_all(1 << 20)
        assert host.streams_refused == 1
        await assert_unharmed(host, raw)


@pytest.mark.parametrize("said", [b"", HEADER[:5], HEADER, HEADER + line(ECHO)[:-1]], ids=len)
@pytest.mark.parametrize("how", ["finish", "reset"])
async def test_a_remote_that_leaves_before_it_named_a_protocol_is_let_go(said: bytes, how: str) -> None:
    """Some open a stream only to hold the connection: that is no fault."""
    async with echoing() as (host, raw):
        await raw.identified(host)
        muxed = await raw.open()
        await muxed.write(said)
        await muxed.flush()
        await settled(lambda: host.connections()[0].streams == 1)
        await (muxed.finish() if how == "finish" else muxed.reset())
        await settled(lambda: host.connections()[0].streams == 0)
        assert host.streams_refused == 0
        await assert_unharmed(host, raw)


async def test_a_name_that_is_not_utf8_is_refused_and_another_may_follow() -> None:
    async with echoing() as (host, raw):
        muxed = await raw.open()
        await muxed.write(HEADER + b"\x05\xff\xfe\xfd\x80\n")
        assert await muxed.read(100) == HEADER + NA
        await muxed.write(b"\x03ls\n")
        assert await muxed.read(100) == NA
        await muxed.finish(line(ECHO) + b"hello")
        assert await muxed.read_all(100) == line(ECHO) + b"hello"
        await assert_unharmed(host, raw)
        assert host.streams_refused == 0


async def test_an_opening_byte_by_byte_is_served() -> None:
    async with echoing() as (_, raw):
        muxed = await raw.open()
        for byte in opening(ECHO) + b"slow":
            await muxed.write(bytes([byte]))
            await trio.lowlevel.checkpoint()
        await muxed.finish()
        assert await muxed.read_all(100) == opening(ECHO) + b"slow"


async def test_a_remote_that_never_names_a_protocol_is_cut_off_in_time(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05  # sockets are quick and the deadlines long
    async with echoing() as (host, raw):
        muxed = await raw.open()
        await muxed.write(HEADER)
        assert await muxed.read(100) == HEADER
        with pytest.raises(MuxedStreamReset):
            await muxed.read(100)
        assert host.streams_refused == 1
        await assert_unharmed(host, raw)


@pytest.mark.parametrize("stage", ["opening", "request"])
async def test_a_lazy_remote_hears_the_confirmation_before_it_ends_its_side(stage: str) -> None:
    """rust-libp2p's lazy opening does not send its end of stream before it has read that the protocol is agreed."""
    async with echoing() as (_, raw):
        muxed = await raw.open()
        await muxed.write(opening(ECHO) + (b"half a request" if stage == "request" else b""))
        assert await muxed.read(100) == opening(ECHO)
        await muxed.finish(b" and the rest")
        answer = b"half a request and the rest" if stage == "request" else b" and the rest"
        assert await muxed.read_all(100) == answer


async def test_a_handler_that_reads_piece_by_piece_lets_a_lazy_remote_go_on() -> None:
    async def take_four_by_four(stream: Stream) -> None:
        data = b""
        while more := await stream.read(4):
            data += more
        await stream.finish(data)

    async with echoing() as (host, raw):
        host.serve(HELD, take_four_by_four)
        muxed = await raw.open()
        await muxed.write(opening(HELD) + b"half a")
        assert await muxed.read(100) == opening(HELD)
        await muxed.finish(b" request")
        assert await muxed.read_all(100) == b"half a request"


async def test_who_asks_first_hears_the_confirmation_however_long_the_handler_thinks() -> None:
    async def think(stream: Stream) -> None:
        await trio.sleep_forever()

    async with echoing() as (host, raw):
        host.serve(HELD, think)
        muxed = await raw.open()
        await muxed.write(opening(HELD))
        assert await muxed.read(100) == opening(HELD)


async def test_a_whole_request_is_confirmed_and_answered_in_one_frame() -> None:
    async def look_it_up(stream: Stream) -> None:
        data = await stream.read_to_end(1000)
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        await stream.finish(data)

    frames = []
    async with echoing() as (host, raw):
        host.serve(HELD, look_it_up)
        await raw.identified(host)
        for _ in range(5):
            before = raw.frames_received
            assert await raw.ask(HELD, b"x" * 100) == b"x" * 100
            frames.append(raw.frames_received - before)
    assert min(frames) <= 2, "the answer and its end; a ping may have come between, but not each time"


async def test_a_conversation_goes_on_after_its_first_words() -> None:
    async def converse(stream: Stream) -> None:
        while data := await stream.read(10):
            await stream.write(data.upper())

    async with echoing() as (host, raw):
        host.serve(HELD, converse)
        muxed = await raw.open()
        await muxed.write(opening(HELD) + b"one")
        assert await muxed.read(100) == opening(HELD) + b"ONE"
        await muxed.write(b"two")
        assert await muxed.read(100) == b"TWO"
        await muxed.finish()
        assert await muxed.read_all(100) == b""


# -- Handlers


@pytest.mark.parametrize(
    ("error", "refused", "level"),
    [
        (ValueError("a fault of ours"), 0, "ERROR"),
        (ExceptionGroup("several", [KeyError(1), KeyError(2)]), 0, "ERROR"),
        (StoreError("the disk is gone"), 0, "WARNING"),
        (ProtocolError("a fault of theirs"), 1, None),
    ],
    ids=["bug", "bugs", "local", "remote"],
)
async def test_a_handler_that_fails_resets_its_stream_alone(
    error: Exception, refused: int, level: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(stream: Stream) -> None:
        await stream.write(b"half an answer")
        raise error

    async with echoing() as (host, raw):
        host.serve(HELD, fail)
        with caplog.at_level(logging.WARNING), pytest.raises(MuxedStreamReset):
            await raw.ask(HELD, b"?")
        assert [record.levelname for record in caplog.records] == ([level] if level else [])
        assert host.streams_refused == refused
        await assert_unharmed(host, raw)


async def test_streams_that_stall_in_a_handler_hold_up_nobody() -> None:
    async def hold(stream: Stream) -> None:
        await trio.sleep_forever()

    async with echoing() as (host, raw):
        host.serve(HELD, hold)
        for _ in range(100):
            await (await raw.open()).write(opening(HELD))
        await assert_unharmed(host, raw)


async def test_a_remote_that_reads_nothing_holds_up_nobody() -> None:
    async def pour(stream: Stream) -> None:
        await stream.finish(bytes(1 << 20))

    async with echoing() as (host, raw):
        host.serve(HELD, pour)
        muxed = await raw.open()
        await muxed.finish(opening(HELD))
        await assert_unharmed(host, raw)
        assert len(await muxed.read_all(1 << 21)) == (1 << 20) + len(opening(HELD))


async def test_an_answer_is_whole_before_a_remote_that_does_not_end_is_cut_off(autojump_clock: MockClock) -> None:
    """Go discards what it has not read when a reset comes: so the reset comes late, and only to who never ends."""
    autojump_clock.autojump_threshold = 0.05

    async def answer_early(stream: Stream) -> None:
        await stream.finish(b"the answer")

    async with echoing() as (host, raw):
        host.serve(HELD, answer_early)
        muxed = await raw.open()
        await muxed.write(opening(HELD) + b"a request without end")
        await trio.sleep(5)
        assert not muxed.is_reset
        assert await muxed.read_all(100) == opening(HELD) + b"the answer"
        await trio.sleep(10)
        assert muxed.is_reset
        await assert_unharmed(host, raw)


async def test_a_stream_that_both_sides_ended_leaves_at_once() -> None:
    async with echoing() as (host, raw):
        await raw.ask(ECHO, b"x")
        await settled(lambda: not any(connection.streams for connection in host.connections()))


async def test_what_a_peer_sent_before_its_connection_died_is_still_taken() -> None:
    """Some peers send a record and close the connection at once: the record counts."""
    started, stored = trio.Event(), trio.Event()

    async def store(stream: Stream) -> None:
        data = await stream.read_to_end(100)
        started.set()
        await settled(lambda: not host.connections())
        assert data == b"a record"
        stored.set()

    async with echoing() as (host, raw):
        host.serve(HELD, store)
        await (await raw.open()).finish(opening(HELD) + b"a record")
        await started.wait()
        await raw.connection.close()
        await stored.wait()


async def test_a_handler_does_not_outlive_its_connection_for_long(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    entered, left = trio.Event(), trio.Event()

    async def hold(stream: Stream) -> None:
        try:
            entered.set()
            await trio.sleep_forever()
        finally:
            left.set()

    async with echoing() as (host, raw):
        host.serve(HELD, hold)
        await (await raw.open()).write(opening(HELD))
        await entered.wait()
        await raw.connection.close()
        with trio.fail_after(20):
            await left.wait()


async def test_handlers_see_who_asks_and_from_where() -> None:
    seen: list[Any] = []

    async def look(stream: Stream) -> None:
        seen.append((stream.peer, stream.protocol, stream.remote_addr))

    async with echoing() as (host, raw):
        host.serve(HELD, look)
        assert await raw.ask(HELD, b"") == b""
        (info,) = host.connections()
        assert seen == [(info.peer, HELD, info.addr)]
        assert info.direction == "inbound"
