"""`FastNoise` against itself and against py-libp2p's own Noise, over TCP and over a connection that is not TCP."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from libp2p.connection_types import ConnectionType
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.security.secure_session import SecureSession

from chiral.host import libp2p_private
from chiral.host.secured import FastSession
from chiral.noise.frame import NoiseError
from tests.host.wire import End, both, tcp_pair


async def sessions(dialler: End | None = None, listener: End | None = None) -> tuple[Any, Any]:
    dialler, listener = dialler or End(), listener or End()
    dialled, accepted = await tcp_pair()
    return await both(dialler.secure(dialled, listener.peer_id), listener.secure(accepted))


async def read_exactly(session: Any, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await session.read(count - len(data))
    return data


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
async def test_bytes_pass_both_ways(first: bool, second: bool) -> None:
    ours, theirs = await sessions(End(fast=first), End(fast=second))
    big = bytes(range(256)) * 2000
    for source, target in ((ours, theirs), (theirs, ours)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(source.write, b"small")
            assert await read_exactly(target, 5) == b"small"
            nursery.start_soon(source.write, big)
            assert await read_exactly(target, len(big)) == big
    await ours.close()
    await theirs.close()


async def test_who_is_there_is_told() -> None:
    dialler, listener = End(), End()
    ours, theirs = await sessions(dialler, listener)
    assert isinstance(ours, FastSession)
    assert ours.get_remote_peer() == listener.peer_id
    assert theirs.get_remote_peer() == dialler.peer_id
    assert ours.get_local_peer() == dialler.peer_id
    assert ours.is_initiator
    assert not theirs.is_initiator
    assert ours.get_connection_type() is ConnectionType.DIRECT
    (address,) = ours.get_transport_addresses()
    address_there = ours.get_remote_address()
    assert address_there is not None
    host, port = address_there
    assert str(address) == f"/ip4/{host}/tcp/{port}"
    await ours.close()
    assert ours.get_remote_address() == (host, port)


async def test_reading_less_than_a_message_keeps_the_rest() -> None:
    ours, theirs = await sessions()
    await ours.write(b"abcdef")
    assert await theirs.read(0) == b""
    assert await theirs.read(2) == b"ab"
    assert await theirs.read(2) == b"cd"
    assert await theirs.receive() == [b"ef"]
    await ours.write(b"more")
    assert await theirs.read() == b"more"
    assert ours.bytes_sent == theirs.bytes_received == 6 + 4 + 2 * 18


async def test_what_the_handshake_had_read_ahead_is_not_lost() -> None:
    dialler, listener = End(fast_noise=False), End(fast_noise=False)
    ours, theirs = await sessions(dialler, listener)
    assert isinstance(theirs, SecureSession)
    theirs._fill(b"read ahead, ")
    session = FastSession(theirs)
    await ours.write(b"and after")
    assert await session.read(12) == b"read ahead, "
    assert await session.read() == b"and after"


async def test_the_end_and_a_frame_cut_short() -> None:
    ours, theirs = await sessions()
    await ours.close()
    with pytest.raises(ConnectionClosedError):
        await theirs.read()
    ours, theirs = await sessions()
    tcp = libp2p_private.tcp_stream(ours._raw)
    assert tcp is not None
    await tcp.send_all(b"\x00\x20cut")
    await ours.close()
    with pytest.raises(ConnectionClosedError, match="5 bytes into a frame"):
        await theirs.read()


async def test_forged_ciphertext() -> None:
    ours, theirs = await sessions()
    tcp = libp2p_private.tcp_stream(ours._raw)
    assert tcp is not None
    await tcp.send_all(b"\x00\x20" + bytes(32))
    with pytest.raises(NoiseError):
        await theirs.read()


async def test_using_a_closed_session() -> None:
    ours, _ = await sessions()
    await ours.close()
    with pytest.raises(ConnectionClosedError):
        await ours.write(b"x")
    with pytest.raises(ConnectionClosedError):
        await ours.read()
    with pytest.raises(ConnectionClosedError):
        ours.flush_nowait()


async def test_closing_wakes_who_reads() -> None:
    ours, _ = await sessions()
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(ConnectionClosedError):
                await ours.read()

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        await ours.close()


async def test_a_cancelled_send_leaves_whole_frames() -> None:
    ours, theirs = await sessions()
    big = bytes(range(256)) * (1 << 16)
    with trio.move_on_after(0.1) as scope:
        await ours.write(big)
    assert scope.cancelled_caught
    received = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.write, b"the next")
        while not received.endswith(b"the next"):
            received += await theirs.read()
    assert big.startswith(received.removesuffix(b"the next"))
    await ours.close()
    await theirs.close()


async def test_empty_messages_do_not_hold_up_what_is_behind_them() -> None:
    ours, theirs = await sessions()
    for _ in range(200):
        ours.sealer.seal(b"")
    ours.sealer.seal(b"behind")
    await ours.flush()
    with trio.fail_after(10):
        assert await theirs.read() == b"behind"


class Hoarding:
    """A raw connection that hands out more at once than was asked for."""

    def __init__(self, raw: Any, count: int) -> None:
        self._raw = raw
        self._count = count

    async def read(self, n: int | None = None) -> bytes:
        data = b""
        while len(data) < self._count and (more := await self._raw.read(n)):
            data += more
        return data


async def test_a_transport_that_gives_more_than_was_asked() -> None:
    ours, theirs = await sessions()
    big = bytes(range(256)) * 4000
    theirs._raw, theirs._tcp = Hoarding(theirs._raw, len(big)), None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.write, big)
        assert await read_exactly(theirs, len(big)) == big


class Relayed:
    """A raw connection that is not plain TCP, as py-libp2p's WebSocket or relay would be: only `read` and `write`."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.is_initiator = raw.is_initiator

    async def read(self, n: int | None = None) -> bytes:
        data: bytes = await self._raw.read(n)
        return data

    async def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        await self._raw.write(data)

    async def close(self) -> None:
        await self._raw.close()

    def get_remote_address(self) -> None:
        return None


async def test_a_transport_that_is_not_tcp() -> None:
    ours, theirs = await sessions()
    relayed = []
    for session in (ours, theirs):
        session._raw = Relayed(session._raw)
        session._tcp = libp2p_private.tcp_stream(session._raw)
        assert session._tcp is None
        relayed.append(session)
    big = bytes(range(256)) * 4000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(relayed[0].write, big)
        assert await read_exactly(relayed[1], len(big)) == big
    assert relayed[0].get_remote_address() is None
    relayed[0].sealer.seal(b"later")
    assert not relayed[0].flush_nowait()
    await relayed[0].flush()
    assert await relayed[1].read() == b"later"
    await relayed[0].close()
    with pytest.raises(ConnectionClosedError):
        await relayed[1].read()


async def test_a_send_cut_short_on_another_transport_spoils_the_session_loudly() -> None:
    ours, _ = await sessions()
    ours._raw = Relayed(ours._raw)
    ours._tcp = None
    with trio.move_on_after(0.1) as scope:
        await ours.write(bytes(64 << 20))
    assert scope.cancelled_caught
    with pytest.raises(ConnectionClosedError, match="cut short"):
        await ours.write(b"x")


async def test_buffers_are_given_back() -> None:
    ours, theirs = await sessions()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.write, bytes(1 << 20))
        await read_exactly(theirs, 1 << 20)
    assert theirs._opener.capacity_bytes > 100_000
    theirs.relax()
    ours.relax()
    assert theirs._opener.capacity_bytes + ours.sealer.capacity_bytes < 8192
    await ours.write(b"still works")
    assert await theirs.read() == b"still works"
