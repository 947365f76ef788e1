"""Handshakes with whoever is at the other end of a socket: programs of other kinds, liars, floods, the silent."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from libp2p.crypto.keys import KeyPair
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from trio.testing import MockClock

from chiral.clock import SystemClock
from chiral.errors import PeerUnreachableError, ProtocolError, RemoteError, StreamResetError, UnsupportedProtocolError
from chiral.host import agreement
from chiral.host.addresses import address_of_endpoint
from chiral.host.host import Host
from chiral.host.identity import new_identity, peer_id_of
from chiral.host.multistream import HEADER, NA, line, opening
from chiral.host.upgrade import Upgrader, WrongPeerError
from chiral.interface.peer import PeerId, PeerInfo
from tests.host.running import ECHO, echo, make_host, raw_peer, settled

KEY, OTHER_KEY = new_identity(b"\x07" * 32), new_identity(b"\x08" * 32)
NOISE = "/noise"

Act = Callable[[trio.SocketStream], Awaitable[None]]


async def hang_up(tcp: trio.SocketStream) -> None:
    """End a socket as a crash does: with a reset."""
    tcp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await trio.aclose_forcefully(tcp)


async def say_nothing(tcp: trio.SocketStream) -> None:
    await trio.sleep_forever()


def saying(data: bytes) -> Act:
    async def say(tcp: trio.SocketStream) -> None:
        await tcp.send_all(data)
        await tcp.send_eof()
        async for _ in tcp:
            pass

    return say


async def flood(tcp: trio.SocketStream) -> None:
    """A line of 2^62 bytes, sent for as long as anybody takes it."""
    await tcp.send_all(HEADER + b"\xff\xff\xff\xff\xff\xff\xff\xff\x3f")
    while True:
        await tcp.send_all(bytes(1 << 16))


async def refuse_the_muxer(tcp: trio.SocketStream) -> None:
    """A sound Noise handshake on either side, after which no protocol is agreed."""
    raw = RawConnection(TrioTCPStream(tcp), True)
    noise = Upgrader(OTHER_KEY, SystemClock())._noise
    await agreement.propose(raw, NOISE)
    secured = await noise.secure_outbound(raw, ID(SERVED.raw))
    with pytest.raises(UnsupportedProtocolError):
        await agreement.propose(secured, "/mplex/6.7.0")
    await secured.write(b"\xff" * 40)


SERVED = peer_id_of(new_identity(bytes([1]) * 32))

BAD_DIALLERS: dict[str, Act] = {
    "nothing": saying(b""),
    "reset": hang_up,
    "http": saying(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "tls": saying(bytes.fromhex("160301020001") + bytes(600)),
    "endless varint": saying(HEADER + b"\xff" * 100),
    "flood": flood,
    "not utf-8": saying(HEADER + b"\x04\xff\xfe\xfd\n"),
    "other security": saying(opening("/tls/1.0.0") + line("/plaintext/2.0.0")),
    "ls for ever": saying(HEADER + line("ls") * 1000),
    "noise cut": saying(opening(NOISE) + b"\x00\x20" + bytes(7)),
    "not noise": saying(opening(NOISE) + b"\x00\x20" + bytes(32) + b"\xff\xff" + bytes(65_535)),
    "no muxer": refuse_the_muxer,
}


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Host, int]]:
    host = make_host(1)
    host.serve(ECHO, echo)
    with trio.fail_after(60):
        async with host.run():
            yield host, int.from_bytes(host.listen_addrs()[0][-2:], "big")


@pytest.mark.parametrize("act", BAD_DIALLERS.values(), ids=BAD_DIALLERS)
async def test_a_bad_dialler_is_hung_up_on_and_others_are_served(act: Act) -> None:
    async with serving() as (host, port):
        async with await trio.open_tcp_stream("127.0.0.1", port) as tcp:
            try:
                await act(tcp)
                while await tcp.receive_some():
                    pass
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
        assert host.connections() == []
        async with raw_peer(host) as raw:
            assert await raw.ask(ECHO, b"hello") == b"hello"


async def test_a_flood_in_place_of_a_handshake_is_not_even_read() -> None:
    taken = 0
    async with serving() as (_, port), await trio.open_tcp_stream("127.0.0.1", port) as tcp:
        tcp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        try:
            await tcp.send_all(HEADER + b"\xff\xff\xff\xff\xff\xff\xff\xff\x3f")
            while True:
                await tcp.send_all(bytes(1 << 16))
                taken += 1 << 16
        except trio.BrokenResourceError:
            pass
    assert taken < 32 << 20, "no more than the buffers of the kernel hold"


async def test_silent_diallers_beyond_the_limit_give_way_to_an_honest_one(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    host = make_host(1, max_pending_inbound=4)
    host.serve(ECHO, echo)
    async with host.run():
        port = int.from_bytes(host.listen_addrs()[0][-2:], "big")
        silent = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(4)]
        await trio.sleep(2)
        async with raw_peer(host) as raw:
            assert await raw.ask(ECHO, b"hello") == b"hello"
        assert await silent[0].receive_some() == b"", "the oldest was hung up on"
        await trio.sleep(20)
        assert [await tcp.receive_some() for tcp in silent[1:]] == [b""] * 3
        for tcp in silent:
            await trio.aclose_forcefully(tcp)


# -- Dialling


@asynccontextmanager
async def answering(act: Act) -> AsyncIterator[bytes]:
    """The address of somebody who does `act` with whoever dials."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def serve(tcp: trio.SocketStream) -> None:
        try:
            await act(tcp)
        except (trio.BrokenResourceError, trio.ClosedResourceError, RemoteError):
            return

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield address_of_endpoint("127.0.0.1", listener.socket.getsockname()[1])
        nursery.cancel_scope.cancel()


async def dial(addr: bytes, peer: PeerId = SERVED, key: KeyPair = KEY) -> None:
    """Dial and fail."""
    tcp = await trio.open_tcp_stream("127.0.0.1", int.from_bytes(addr[-2:], "big"))
    try:
        await Upgrader(key, SystemClock()).outbound(tcp, peer, addr)
    finally:
        assert tcp.socket.fileno() == -1, "the socket of a failed handshake is closed"


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (saying(b""), StreamResetError),
        (hang_up, StreamResetError),
        (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), ProtocolError),
        (saying(HEADER + NA), UnsupportedProtocolError),
        (saying(opening(NOISE)), StreamResetError),
        (saying(opening(NOISE) + b"\x00\x60" + bytes(96)), RemoteError),
        (saying(opening(NOISE) + b"\x00\x01"), StreamResetError),
    ],
    ids=["nothing", "reset", "ssh", "refused", "no noise", "not noise", "cut"],
)
async def test_whoever_answers_otherwise_is_an_error_of_the_remotes(act: Act, error: type[Exception]) -> None:
    with trio.fail_after(20):
        async with answering(act) as addr:
            with pytest.raises(error):
                await dial(addr)


async def test_somebody_else_at_the_address_is_told_apart() -> None:
    async with serving() as (host, _):
        with pytest.raises(WrongPeerError):
            await dial(host.listen_addrs()[0], peer_id_of(OTHER_KEY))
        await settled(lambda: not host.connections())


async def test_a_node_does_not_talk_to_itself() -> None:
    async with serving() as (host, _):
        with pytest.raises(PeerUnreachableError, match="this node itself"):
            await host.connect(PeerInfo(host.local_peer, host.listen_addrs()))
        assert host.addrs_of(host.local_peer) == ()
        with pytest.raises(PeerUnreachableError):
            await host.open(host.local_peer, [ECHO])
        with pytest.raises(RemoteError):  # as if somebody had copied the identity
            await dial(host.listen_addrs()[0], key=new_identity(bytes([1]) * 32))
        assert host.connections() == []


async def test_a_handshake_that_is_cancelled_closes_its_socket() -> None:
    async with answering(say_nothing) as addr:
        with trio.move_on_after(0.05) as scope:
            await dial(addr)
        assert scope.cancelled_caught


async def test_a_remote_gone_before_it_was_accepted_is_no_fault_of_ours() -> None:
    sock = trio.socket.socket()  # as after a reset: a socket without another end
    with pytest.raises(StreamResetError, match="gone before"):
        await Upgrader(KEY, SystemClock()).inbound(trio.SocketStream(sock))
    sock.close()
