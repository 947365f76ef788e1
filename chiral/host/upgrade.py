"""From a TCP socket to a connection: Noise by py-libp2p's handshake, then Yamux, both agreed by multistream-select."""

from __future__ import annotations

import socket

import trio
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair as new_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.transport.upgrader import TransportUpgrader

from chiral.clock import Clock
from chiral.errors import ProtocolError, RemoteError, StreamResetError
from chiral.host.addresses import address_of_endpoint
from chiral.host.connection import Connection
from chiral.host.muxed import FastMuxer
from chiral.host.secured import FastNoise
from chiral.interface.peer import PeerId
from chiral.interface.streams import Direction


class WrongPeerError(RemoteError):
    """Somebody else than the peer that was dialled answered at the address."""

    code = "wrong_peer"


class Upgrader:
    """Turns sockets into connections under one identity."""

    def __init__(self, key_pair: KeyPair, clock: Clock) -> None:
        noise = FastNoise(key_pair, noise_privkey=new_x25519_key_pair().private_key)
        self._clock = clock
        self._upgrader = TransportUpgrader({TProtocol(NOISE): noise}, {})
        self._upgrader.muxer_multistream = FastMuxer()

    async def outbound(self, tcp: trio.SocketStream, peer: PeerId, addr: bytes) -> Connection:
        """Secure and multiplex a socket dialled to `peer`; raises `WrongPeerError` or another `RemoteError`."""
        return await self._upgrade(tcp, "outbound", peer, addr)

    async def inbound(self, tcp: trio.SocketStream) -> Connection:
        """Secure and multiplex an accepted socket; raises a `RemoteError` where the remote does not play along."""
        host, port = tcp.socket.getpeername()[:2]
        return await self._upgrade(tcp, "inbound", None, address_of_endpoint(host, port))

    async def _upgrade(
        self, tcp: trio.SocketStream, direction: Direction, peer: PeerId | None, addr: bytes
    ) -> Connection:
        tcp.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw = RawConnection(TrioTCPStream(tcp), peer is not None)
        try:
            expected = None if peer is None else ID(peer.raw)
            secured = await self._upgrader.upgrade_security(raw, peer is not None, expected)
            remote = PeerId.from_bytes(secured.get_remote_peer().to_bytes())
            if peer is not None and remote != peer:
                raise WrongPeerError(f"{remote} answered instead")
            muxed = await self._upgrader.upgrade_connection(secured, ID(remote.raw))
        except BaseException as error:
            await trio.aclose_forcefully(tcp)
            raise _translated(error) from error
        return Connection(muxed, remote, addr, direction, self._clock.monotonic())


def _translated(error: BaseException) -> BaseException:
    """The same fault as one of this project's errors; cancellation and this project's own pass unchanged."""
    if isinstance(error, (RemoteError, trio.Cancelled)) or not isinstance(error, Exception):
        return error
    if "mismatch" in str(error).lower() or "mismatch" in str(error.__cause__).lower():
        return WrongPeerError("somebody else answered there")
    if isinstance(error, (BaseLibp2pError, OSError, trio.BrokenResourceError, trio.ClosedResourceError)):
        return StreamResetError(f"handshake failed: {error or type(error).__name__}")
    return ProtocolError(f"handshake failed: {type(error).__name__}: {error}")
