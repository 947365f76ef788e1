"""Answers that break off, by a handler or by the death of a process, are never taken for whole."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from chiral.errors import (
    PeerUnreachableError,
    ProtocolError,
    StreamResetError,
)
from chiral.host.addresses import parse_peer_address
from chiral.host.host import Host
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import Stream
from tests.host.child import child
from tests.host.running import ANSWER, ECHO, TEST_S, acquainted, echo, make_host, settled


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
