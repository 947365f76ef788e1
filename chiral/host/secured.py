"""Noise for py-libp2p: its own handshake, then Chiral's machines for the data.

Over plain TCP the ciphertext goes straight from the socket into the opener's buffer; over anything else (WebSocket,
relay) the raw connection's own `read` and `write` carry it.
"""

from __future__ import annotations

import os
import socket
from typing import cast

import trio
from libp2p.abc import IRawConnection, ISecureConn
from libp2p.connection_types import ConnectionType
from libp2p.io.exceptions import ConnectionClosedError, IOException
from libp2p.network.connection.exceptions import RawConnError
from libp2p.peer.id import ID
from libp2p.security.base_session import BaseSession
from libp2p.security.noise.transport import PROTOCOL_ID, Transport
from libp2p.security.secure_session import SecureSession
from multiaddr.multiaddr import Multiaddr

from chiral.host import libp2p_private
from chiral.noise.frame import MAX_PLAINTEXT_BYTES
from chiral.noise.opener import Opener
from chiral.noise.sealer import Sealer

NOISE_PROTOCOL = PROTOCOL_ID
RAW_READ_BYTES = 65_536
TRANSPORT_ERRORS = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, IOException, RawConnError)
TCP_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class FastSession(BaseSession):
    """A secured connection after the handshake.

    One task may receive (`receive` or `read`) and one may send (`flush` or `write`) at a time. Errors of the transport
    and its end raise py-libp2p's `ConnectionClosedError`; bytes that Noise does not allow raise `NoiseError`.
    """

    def __init__(self, session: SecureSession) -> None:
        super().__init__(
            local_peer=session.local_peer,
            local_private_key=session.local_private_key,
            remote_peer=session.remote_peer,
            remote_permanent_pubkey=session.remote_permanent_pubkey,
            is_initiator=session.is_initiator,
        )
        keys = libp2p_private.noise_keys(session)
        self._raw = libp2p_private.raw_connection(session)
        self._tcp = libp2p_private.tcp_stream(self._raw)
        self._opener = Opener(keys.receive_key, keys.receive_counter)
        self.sealer = Sealer(keys.send_key, keys.send_counter)
        self._unread = libp2p_private.buffered_plaintext(session)
        self._unfed = b""
        self._write_lock = trio.Lock()
        self._flushed = 0
        self._cut_short = False
        self.bytes_received = 0
        self.bytes_sent = 0
        self.negotiated_security_protocol: str | None = None

    # -- messages, for the muxer

    async def receive(self) -> list[bytes]:
        """The next decrypted messages, at least one and not empty; always a checkpoint.

        Raises `ConnectionClosedError` at the end, `NoiseError`.
        """
        if self._unread:
            unread, self._unread = self._unread, b""
            return [unread]
        messages = self._opener.drain()
        if messages:
            await trio.lowlevel.checkpoint()
        while not any(messages):
            if not messages:
                await self._receive_ciphertext()
            messages = self._opener.drain()
        return messages

    async def flush(self) -> None:
        """Send all that was sealed. A cancelled flush is gone on with by the next one over TCP; elsewhere that fails.

        Raises `ConnectionClosedError`.
        """
        while not self.flush_nowait():
            try:
                if self._tcp is not None:
                    await trio.lowlevel.wait_writable(self._tcp.socket)
                else:
                    await self._write_raw()
            except TRANSPORT_ERRORS as error:
                raise ConnectionClosedError(f"sending failed: {error}") from error

    def flush_nowait(self) -> bool:
        """Send as much of what was sealed as the transport takes at once; True if nothing is left.

        Raises `ConnectionClosedError`.
        """
        sealed = self.sealer.sealed()
        while len(sealed) > self._flushed:
            if self._tcp is None:
                return False
            try:
                count = os.write(self._tcp.socket.fileno(), sealed[self._flushed :])
            except BlockingIOError:
                return False
            except OSError as error:
                raise ConnectionClosedError(f"sending failed: {error}") from error
            self._flushed += count
            self.bytes_sent += count
        self.sealer.clear()
        self._flushed = 0
        return True

    @property
    def is_flushed(self) -> bool:
        """Whether nothing that was sealed waits to be sent."""
        return len(self.sealer.sealed()) == 0

    async def _write_raw(self) -> None:
        if self._cut_short:
            raise ConnectionClosedError("an earlier send was cut short")
        self._cut_short = True
        sealed = bytes(self.sealer.sealed()[self._flushed :])
        await self._raw.write(sealed)
        self._cut_short = False
        self._flushed += len(sealed)
        self.bytes_sent += len(sealed)

    def relax(self) -> None:
        """Give back the buffers of a connection that is quiet; no send may be under way."""
        self._opener.relax()
        self.sealer.relax()

    # -- bytes, for py-libp2p's negotiation

    async def read(self, n: int | None = None) -> bytes:
        """1 to `n` bytes, or one whole message for None. Raises as `receive` does."""
        if n == 0:
            return b""
        data = b"".join(await self.receive())
        if n is None or n < 0 or len(data) <= n:
            return data
        self._unread = data[n:]
        return data[:n]

    async def write(self, data: bytes) -> None:
        """Send all of `data`. Raises `ConnectionClosedError`."""
        view = memoryview(data)
        async with self._write_lock:
            while view:
                while view and self.sealer.has_room:
                    self.sealer.seal(view[:MAX_PLAINTEXT_BYTES])
                    view = view[MAX_PLAINTEXT_BYTES:]
                await self.flush()

    async def close(self) -> None:
        """Close the transport; what is under way fails."""
        await self._raw.close()

    # -- what is known

    def get_remote_address(self) -> tuple[str, int] | None:
        """Host and port of the other side, for IPv6 too; None where the transport has none."""
        if self._tcp is not None:
            try:
                name = self._tcp.socket.getpeername()
            except OSError:
                return self._raw.get_remote_address()
            return str(name[0]), int(name[1])
        return self._raw.get_remote_address()

    def get_transport_addresses(self) -> list[Multiaddr]:
        return self._raw.get_transport_addresses()

    def get_connection_type(self) -> ConnectionType:
        return self._raw.get_connection_type()

    # -- ciphertext

    async def _receive_ciphertext(self) -> None:
        try:
            count = await self._receive_some()
        except TRANSPORT_ERRORS as error:
            raise ConnectionClosedError(f"receiving failed: {error}") from error
        if not count:
            rest = self._opener.buffered_bytes
            raise ConnectionClosedError(f"the connection ended {rest} bytes into a frame" if rest else "it ended")
        self.bytes_received += count

    async def _receive_some(self) -> int:
        if self._tcp is None:
            data = self._unfed or await self._raw.read(RAW_READ_BYTES)
            taken = self._opener.feed(data)
            self._unfed = data[taken:]
            return taken
        await trio.lowlevel.checkpoint_if_cancelled()
        count = self._receive_nowait(self._tcp)
        if count is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
        while count is None:
            await trio.lowlevel.wait_readable(self._tcp.socket)
            count = self._receive_nowait(self._tcp)
        return count

    def _receive_nowait(self, tcp: trio.SocketStream) -> int | None:
        """Take what the kernel has; None if it has nothing, 0 at the end."""
        try:
            count = os.readv(tcp.socket.fileno(), [self._opener.writable()])
        except BlockingIOError:
            return None
        if count:
            self._opener.wrote(count)
            if TCP_QUICKACK is not None:
                tcp.socket.setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 1)
        return count


class FastNoise(Transport):
    """The security transport to give py-libp2p as `sec_opt={NOISE_PROTOCOL: FastNoise(keypair, noise_privkey)}`."""

    async def secure_inbound(self, conn: IRawConnection) -> ISecureConn:
        return FastSession(cast(SecureSession, await super().secure_inbound(conn)))

    async def secure_outbound(self, conn: IRawConnection, peer_id: ID) -> ISecureConn:
        return FastSession(cast(SecureSession, await super().secure_outbound(conn, peer_id)))
