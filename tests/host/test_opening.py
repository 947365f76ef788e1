"""Streams opened to remotes that refuse, lie, stall, break off or are gone; and what is learned from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chiral.errors import (
    LimitExceededError,
    PeerUnreachableError,
    ProtocolError,
    RequestTimeoutError,
    StreamResetError,
    UnsupportedProtocolError,
)
from chiral.host.host import Host
from chiral.host.multistream import HEADER, NA, line, opening
from tests.host.running import ECHO, RawPeer, acquainted, echo, info_of, make_host, raw_id, raw_peer, running, settled

pytestmark = pytest.mark.usefixtures("nobody_held")

OLD, NEW = "/test/old/1.0.0", "/test/new/1.0.0"
PEER = raw_id()


class Remote:
    """What a raw peer answers: `says` to each stream's first bytes, and keeps what it heard."""

    def __init__(self) -> None:
        self.speaks: set[str] = set()
        self.says: bytes | None = None
        self.then = "finish"
        self.heard: list[bytes] = []
        self.streams = 0

    async def answer(self, muxed: Any) -> None:
        self.streams += 1
        heard = await muxed.read(4096)
        self.heard.append(heard)
        if self.says is None:
            await self._negotiate(muxed, heard)
            return
        await muxed.write(self.says)
        await getattr(muxed, self.then)()

    async def _negotiate(self, muxed: Any, heard: bytes) -> None:
        """An honest answer for `speaks`, one proposal at a time."""
        said = HEADER
        heard = heard.removeprefix(HEADER)
        while True:
            agreed = next((name for name in self.speaks if heard.startswith(line(name))), None)
            await muxed.write(said + (NA if agreed is None else line(agreed)))
            if agreed is not None:
                await muxed.finish(b"answer")
                return
            said, heard = b"", await muxed.read(4096)
            self.heard.append(heard)


@asynccontextmanager
async def facing(remote: Remote, *claims: str) -> AsyncIterator[tuple[Host, RawPeer]]:
    """A host connected to a raw peer that has claimed to speak `claims` and answers as `remote` says."""
    host = make_host(1)
    with trio.fail_after(60):
        async with host.run(), raw_peer(host) as raw:
            if claims:
                await raw.claim(*claims)
            await raw.identified(host)
            raw.answering = remote.answer
            yield host, raw


async def ask(host: Host, protocol: str = OLD) -> bytes:
    return await host.request(PEER, protocol, b"?", limit_bytes=100)


# -- Agreeing


async def test_a_known_protocol_is_asked_for_and_used_in_one_flight() -> None:
    remote = Remote()
    remote.speaks = {OLD}
    async with facing(remote, OLD) as (host, _):
        assert await ask(host) == b"answer"
    assert remote.heard == [opening(OLD) + b"?"]


async def test_an_unknown_protocol_is_asked_for_first() -> None:
    remote = Remote()
    remote.speaks = {OLD}
    async with facing(remote) as (host, _):
        assert await ask(host) == b"answer"
    assert remote.heard == [opening(OLD)]


async def test_of_several_protocols_the_first_that_is_spoken_is_used_whatever_was_claimed() -> None:
    remote = Remote()
    remote.speaks = {NEW}
    async with facing(remote, OLD, ECHO) as (host, _):
        stream = await host.open(PEER, [OLD, NEW, ECHO])
        assert stream.protocol == NEW
        assert await stream.read_to_end(100) == b"answer"
        assert host.protocols_of(PEER) == {ECHO}, "what was refused is known no longer"
    assert remote.heard == [opening(OLD), line(NEW)]


async def test_a_protocol_no_longer_spoken_is_said_at_the_first_read_and_then_at_the_opening() -> None:
    remote = Remote()
    async with facing(remote, OLD) as (host, _):
        stream = await host.open(PEER, [OLD])
        await stream.write(b"long since")
        with pytest.raises(UnsupportedProtocolError, match=f"{PEER.short} does not speak {OLD}"):
            await stream.read(10)
        await stream.reset()
        assert OLD not in host.protocols_of(PEER)
        remote.speaks = {NEW}
        with pytest.raises(UnsupportedProtocolError):
            await host.open(PEER, [OLD])
        assert (await host.open(PEER, [OLD, NEW])).protocol == NEW


async def test_a_request_for_a_protocol_no_longer_spoken_says_so() -> None:
    async with facing(Remote(), OLD) as (host, _):
        for _ in range(2):
            with pytest.raises(UnsupportedProtocolError):
                await ask(host)
        await settled(lambda: host.connections()[0].streams == 0)


async def test_a_peer_that_speaks_none_of_them_is_told_apart() -> None:
    async with facing(Remote()) as (host, _):
        with pytest.raises(UnsupportedProtocolError, match=f"{OLD}, {NEW}"):
            await host.open(PEER, [OLD, NEW])


# -- Answers that are none


@pytest.mark.parametrize("claims", [(OLD,), ()], ids=["known", "asked"])
@pytest.mark.parametrize(
    ("says", "then", "error"),
    [
        (b"HTTP/1.1 400 Bad Request", "finish", ProtocolError),
        (HEADER + line(NEW), "finish", ProtocolError),
        (b"\xff" * 30, "finish", ProtocolError),
        (HEADER + b"\xff\xff\xff\x7f", "finish", ProtocolError),
        (HEADER, "finish", StreamResetError),
        (b"", "finish", StreamResetError),
        (b"", "reset", StreamResetError),
        (opening(OLD)[:-1], "finish", StreamResetError),
        (opening(OLD) + b"half an ans", "reset", StreamResetError),
    ],
)
async def test_an_answer_that_is_none_is_an_error_and_the_connection_lives(
    claims: tuple[str, ...], says: bytes, then: str, error: type[Exception]
) -> None:
    remote = Remote()
    remote.says, remote.then = says, then
    async with facing(remote, *claims) as (host, _):
        with pytest.raises(error):
            await ask(host)
        remote.says, remote.speaks = None, {OLD}
        assert await ask(host) == b"answer"
        assert len(host.connections()) == 1
        await settled(lambda: host.connections()[0].streams == 0)


async def test_more_than_the_limit_is_refused_and_the_connection_lives() -> None:
    remote = Remote()
    remote.says = opening(OLD) + b"x" * 101
    async with facing(remote, OLD) as (host, _):
        with pytest.raises(LimitExceededError):
            await ask(host)
        remote.says = opening(OLD) + b"x" * 100
        assert await ask(host) == b"x" * 100


async def test_33_mib_for_an_answer_is_cut_off_at_32() -> None:
    sent = 0
    gone = trio.Event()

    async def pour(muxed: Any) -> None:
        nonlocal sent
        await muxed.read(4096)
        await muxed.write(opening(OLD))
        try:
            for _ in range(33 * 16):
                await muxed.write(bytes(1 << 16))
                sent += 1 << 16
            await muxed.finish()
        finally:
            gone.set()

    remote = Remote()
    async with facing(remote, OLD) as (host, raw):
        raw.answering = pour
        with pytest.raises(LimitExceededError):
            await host.request(PEER, OLD, b"?", limit_bytes=32 << 20)
        await gone.wait()
        raw.answering, remote.speaks = remote.answer, {OLD}
        assert await ask(host) == b"answer"


async def test_a_peer_that_never_agrees_is_given_up_in_time(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    remote = Remote()
    async with facing(remote) as (host, _):
        remote.says, remote.then = HEADER, "flush"
        with pytest.raises(RequestTimeoutError, match="did not agree on a protocol in 10 s"):
            await ask(host)
        remote.says, remote.speaks = None, {OLD}
        assert await ask(host) == b"answer"


async def test_a_request_that_is_cancelled_resets_its_stream_alone() -> None:
    at_it, reset = trio.Event(), trio.Event()

    async def hold(muxed: Any) -> None:
        await muxed.read(4096)
        await muxed.write(opening(OLD) + b"so far")
        at_it.set()
        await settled(lambda: muxed.is_reset)
        reset.set()

    remote = Remote()
    async with facing(remote, OLD) as (host, raw):
        raw.answering = hold
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, host)
            await at_it.wait()
            nursery.cancel_scope.cancel()
        await reset.wait()
        raw.answering, remote.speaks = remote.answer, {OLD}
        assert await ask(host) == b"answer"


# -- Connections that are gone


async def test_a_stream_on_a_connection_that_dies_is_an_error() -> None:
    async def die(muxed: Any) -> None:
        await muxed.read(4096)
        await muxed.write(opening(OLD) + b"so far")
        await raw.connection.close()

    async with facing(Remote(), OLD) as (host, raw):
        raw.answering = die
        with pytest.raises(StreamResetError):
            await ask(host)
        await settled(lambda: not host.connections())
        with pytest.raises(PeerUnreachableError, match="no address"):
            await ask(host)


async def test_a_peer_that_goes_away_while_asked_is_dialled_again() -> None:
    """A connection that closes before anything was sent on it costs the caller nothing."""
    dialler, listener = make_host(1), make_host(2)
    listener.serve(ECHO, echo)
    async with running(dialler, listener):
        await dialler.connect(info_of(listener))
        for connection in listener._table.all():
            await connection.close()
        assert await dialler.request(listener.local_peer, ECHO, b"again", limit_bytes=10) == b"again"


async def test_a_connection_whose_peer_takes_no_more_streams_is_not_used() -> None:
    dialler, listener = make_host(1), make_host(2)
    held = trio.Event()

    async def hold(stream: Any) -> None:
        await held.wait()
        await stream.finish(b"kept my word")

    listener.serve(OLD, hold)
    listener.serve(ECHO, echo)
    with trio.fail_after(20):
        async with acquainted(dialler, listener):
            stream = await dialler.open(listener.local_peer, [OLD])
            await stream.finish()
            await settled(lambda: listener.connections()[0].streams == 1)
            (first,) = listener._table.all()
            first._muxed.machine.go_away(0)
            first._muxed.nudge()
            await settled(lambda: not dialler._table.all()[0].alive)
            assert await dialler.request(listener.local_peer, ECHO, b"new", limit_bytes=10) == b"new"
            held.set()
            assert await stream.read_to_end(100) == b"kept my word"


async def test_closing_gives_up_reading_and_what_was_written_still_arrives() -> None:
    heard = trio.Event()

    async def take(muxed: Any) -> None:
        assert await muxed.read_all(100) == opening(OLD) + b"a message"
        heard.set()

    async with facing(Remote(), OLD) as (host, raw):
        raw.answering = take
        stream = await host.open(PEER, [OLD])
        await stream.write(b"a message")
        await stream.close()
        await heard.wait()


async def test_large_words_go_uncopied_and_in_order() -> None:
    dialler, listener = make_host(1), make_host(2)
    listener.serve(ECHO, echo)
    payload = bytes(range(256)) * 1000
    async with acquainted(dialler, listener):
        assert await dialler.request(listener.local_peer, ECHO, payload, limit_bytes=1 << 20) == payload
        stream = await dialler.open(listener.local_peer, [ECHO])
        await stream.write(memoryview(payload))
        await stream.write(bytearray(b"tail"))
        await stream.finish()
        assert await stream.read_to_end(1 << 20) == payload + b"tail"
        assert (await stream.read(1), await stream.read_to_end(1)) == (b"", b"")
        assert stream.remote_addr == listener.listen_addrs()[0]
