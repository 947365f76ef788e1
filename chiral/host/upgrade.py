"""From a TCP socket to a connection: Noise by py-libp2p's handshake, then Yamux, each agreed by multistream-select."""

from __future__ import annotations

import socket

import trio
from libp2p.abc import ISecureConn
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair as new_x25519_key_pair
from libp2p.exceptions import BaseLibp2pError
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.security.noise.exceptions import PeerIDMismatchesPubkey

from chiral.clock import Clock
from chiral.errors import ProtocolError, RemoteError, StreamResetError
from chiral.host import agreement
from chiral.host.addresses import address_of_endpoint
from chiral.host.connection import Connection
from chiral.host.identity import peer_id_of
from chiral.host.muxed import YAMUX_PROTOCOL, FastMuxed
from chiral.host.secured import NOISE_PROTOCOL, FastNoise
from chiral.interface.peer import PeerId
from chiral.interface.streams import Direction


class WrongPeerError(RemoteError):
    """Somebody else than the peer that was dialled answered at the address."""

    code = "wrong_peer"


class Upgrader:
    """Turns sockets into connections under one identity. The caller sets the deadlines."""

    def __init__(self, key_pair: KeyPair, clock: Clock) -> None:
        self._peer = peer_id_of(key_pair)
        self._noise = FastNoise(key_pair, noise_privkey=new_x25519_key_pair().private_key)
        self._clock = clock

    async def outbound(self, tcp: trio.SocketStream, peer: PeerId, addr: bytes) -> Connection:
        """Secure and multiplex a socket dialled to `peer`; raises `WrongPeerError` or another `RemoteError`."""
        return await self._upgrade(tcp, "outbound", peer, addr)

    async def inbound(self, tcp: trio.SocketStream) -> Connection:
        """Secure and multiplex an accepted socket; raises a `RemoteError` where the remote does not play along."""
        try:
            host, port = tcp.socket.getpeername()[:2]
        except OSError as error:
            raise StreamResetError("the remote was gone before it was accepted") from error
        return await self._upgrade(tcp, "inbound", None, address_of_endpoint(host, port))

    async def _upgrade(
        self, tcp: trio.SocketStream, direction: Direction, peer: PeerId | None, addr: bytes
    ) -> Connection:
        raw = RawConnection(TrioTCPStream(tcp), peer is not None)
        try:
            tcp.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = await (self._secure_inbound(raw) if peer is None else self._secure_outbound(raw, peer))
            remote = self._authenticated(secured)
            muxed = FastMuxed(secured, ID(remote.raw))
        except BaseException as error:
            await trio.aclose_forcefully(tcp)
            if isinstance(error, RemoteError) or not isinstance(error, Exception):
                raise
            raise _translated(error) from error
        return Connection(muxed, remote, addr, direction, self._clock.monotonic())

    async def _secure_outbound(self, raw: RawConnection, peer: PeerId) -> ISecureConn:
        await agreement.propose(raw, NOISE_PROTOCOL)
        secured = await self._noise.secure_outbound(raw, ID(peer.raw))
        await agreement.propose(secured, YAMUX_PROTOCOL)
        return secured

    async def _secure_inbound(self, raw: RawConnection) -> ISecureConn:
        await agreement.answer(raw, {NOISE_PROTOCOL})
        secured = await self._noise.secure_inbound(raw)
        await agreement.answer(secured, {YAMUX_PROTOCOL})
        return secured

    def _authenticated(self, secured: ISecureConn) -> PeerId:
        """Who is at the other end; raises `ProtocolError` where that is this node."""
        remote = PeerId.from_bytes(secured.get_remote_peer().to_bytes())
        if remote == self._peer:
            raise ProtocolError("that is this node itself")
        return remote


def _translated(error: Exception) -> RemoteError:
    """A fault of py-libp2p, or of the transport, as one of this project's."""
    if isinstance(error, PeerIDMismatchesPubkey):
        return WrongPeerError("somebody else answered there")
    if isinstance(error, (BaseLibp2pError, OSError, trio.BrokenResourceError, trio.ClosedResourceError)):
        return StreamResetError(f"handshake failed: {error or type(error).__name__}")
    return ProtocolError(f"handshake failed: {type(error).__name__}: {error}")
