"""Fails when an upgrade of py-libp2p moves a name that `libp2p_private` knows."""

from __future__ import annotations

import trio
from libp2p.security.secure_session import SecureSession

from chiral.host import libp2p_private
from tests.host.wire import End, both, tcp_pair


async def handshaken() -> tuple[SecureSession, SecureSession, trio.SocketStream]:
    """Two sessions of py-libp2p's own Noise, and the TCP stream under the first."""
    dialler, listener = End(fast_noise=False), End(fast_noise=False)
    dialled, accepted = await tcp_pair()
    ours, theirs = await both(dialler.secure(dialled, listener.peer_id), listener.secure(accepted))
    assert isinstance(ours, SecureSession)
    assert isinstance(theirs, SecureSession)
    return ours, theirs, dialled


async def test_the_keys_of_a_handshake() -> None:
    ours, theirs, _ = await handshaken()
    mine, other = libp2p_private.noise_keys(ours), libp2p_private.noise_keys(theirs)
    assert len(mine.send_key) == len(mine.receive_key) == 32
    assert (mine.send_key, mine.receive_key) == (other.receive_key, other.send_key)
    assert mine.send_counter == mine.receive_counter == 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.write, b"one message")
        assert await theirs.read(11) == b"one message"
    assert libp2p_private.noise_keys(ours).send_counter == libp2p_private.noise_keys(theirs).receive_counter == 1


async def test_what_is_under_a_session() -> None:
    ours, _, tcp = await handshaken()
    raw = libp2p_private.raw_connection(ours)
    assert raw.is_initiator
    assert libp2p_private.tcp_stream(raw) is tcp


async def test_what_a_session_has_buffered() -> None:
    ours, _, _ = await handshaken()
    assert libp2p_private.buffered_plaintext(ours) == b""
    ours._fill(b"decrypted")
    assert libp2p_private.buffered_plaintext(ours) == b"decrypted"
    assert libp2p_private.buffered_plaintext(ours) == b""


async def test_the_muxer_is_negotiated_and_noted() -> None:
    dialler, listener = End(), End()
    dialled, accepted = await tcp_pair()
    ours, theirs = await both(dialler.upgrade(dialled, listener.peer_id), listener.upgrade(accepted))
    assert ours.negotiated_muxer_protocol == theirs.negotiated_muxer_protocol == "/yamux/1.0.0"
    await ours.close()
    await theirs.close()
