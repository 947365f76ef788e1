"""Ping against peers that answer wrongly, short, or not at all; and served to those who talk in pieces."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from libp2p.stream_muxer.exceptions import MuxedStreamReset
from trio.testing import MockClock

from chiral.errors import ProtocolError, RemoteError, RequestTimeoutError, StreamResetError
from chiral.host.multistream import opening
from chiral.host.ping import PING_BYTES, PROTOCOL
from tests.host.running import make_host, raw_id, raw_peer

pytestmark = pytest.mark.usefixtures("nobody_held")


@pytest.mark.parametrize(
    ("said", "ends", "error"),
    [
        (bytes(PING_BYTES), True, ProtocolError),
        (b"short", True, ProtocolError),
        (b"", True, StreamResetError),
        (b"short", False, StreamResetError),
    ],
    ids=["other bytes", "short", "nothing", "reset"],
)
async def test_an_answer_that_is_no_echo_is_an_error(said: bytes, ends: bool, error: type[RemoteError]) -> None:
    async def answer(muxed: Any) -> None:
        await muxed.read(4096)
        await muxed.write(opening(PROTOCOL) + said)
        await (muxed.finish() if ends else muxed.reset())

    host = make_host(1)
    with trio.fail_after(60):
        async with host.run(), raw_peer(host) as raw:
            await raw.claim(PROTOCOL)
            raw.answering = answer
            with pytest.raises(error):
                await host.ping(raw_id(), 10)
            assert host.is_connected(raw_id())


async def test_a_peer_that_does_not_answer_is_given_up_in_time(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05

    async def stall(muxed: Any) -> None:
        await trio.sleep_forever()

    host = make_host(1)
    async with host.run(), raw_peer(host, answering=stall) as raw:
        await raw.claim(PROTOCOL)
        with pytest.raises(RequestTimeoutError, match="within 3 s"):
            await host.ping(raw_id(), 3)


async def test_pings_are_echoed_one_after_another_in_any_pieces() -> None:
    host = make_host(1)
    with trio.fail_after(60):
        async with host.run(), raw_peer(host) as raw:
            muxed = await raw.open()
            await muxed.write(opening(PROTOCOL))
            assert await muxed.read(100) == opening(PROTOCOL)
            for number in range(3):
                payload = bytes([number]) * PING_BYTES
                await muxed.write(payload[:7])
                await muxed.write(payload[7:])
                assert await muxed.peek(100, PING_BYTES) == payload
                await muxed.read(PING_BYTES)
            await muxed.write(b"a short one")
            await muxed.finish()
            with pytest.raises(MuxedStreamReset):
                await muxed.read(100)
            assert host.streams_refused == 1


async def test_a_remote_that_pings_no_more_is_let_go(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    host = make_host(1)
    async with host.run(), raw_peer(host) as raw:
        muxed = await raw.open()
        await muxed.write(opening(PROTOCOL) + bytes(PING_BYTES))
        assert await muxed.read_all(100) == opening(PROTOCOL) + bytes(PING_BYTES)
        assert trio.current_time() >= 60
