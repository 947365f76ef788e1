"""Every name inside py-libp2p that is not its public interface, behind one small function each.

`tests/host/test_libp2p_private.py` fails when an upgrade of py-libp2p moves one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import trio
from libp2p.abc import IRawConnection
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.security.secure_session import SecureSession


@dataclass(frozen=True, slots=True)
class NoiseKeys:
    """What a finished Noise handshake leaves: 32-byte keys, and the nonce of the next message each way."""

    send_key: bytes
    send_counter: int
    receive_key: bytes
    receive_counter: int


def noise_keys(session: SecureSession) -> NoiseKeys:
    """The keys of a session that py-libp2p's Noise transport has just set up."""
    protocol: Any = session.conn.noise_state.noise_protocol  # type: ignore[attr-defined]
    send, receive = protocol.cipher_state_encrypt, protocol.cipher_state_decrypt
    return NoiseKeys(bytes(send.k), send.n, bytes(receive.k), receive.n)


def raw_connection(session: SecureSession) -> IRawConnection:
    """The connection under a session of py-libp2p's Noise transport."""
    raw: IRawConnection = session.conn.read_writer.read_write_closer  # type: ignore[attr-defined]
    return raw


def buffered_plaintext(session: SecureSession) -> bytes:
    """Bytes that a session has decrypted and not handed out; they are taken out of it."""
    return session._drain(None)


def tcp_stream(raw: IRawConnection) -> trio.SocketStream | None:
    """The TCP stream under a raw connection, None if it runs over anything else."""
    if not isinstance(raw, RawConnection) or not isinstance(raw.stream, TrioTCPStream):
        return None
    stream = raw.stream.stream
    return stream if isinstance(stream, trio.SocketStream) else None
