"""The port to other peers: streams opened and served by protocol name, and the connections under them.

Reading tells an end from a reset: `read` returns `b""` only after the remote closed its side cleanly; a reset, a dead
connection or a peer gone silent raises a `RemoteError`. That keeps a short answer from ever passing as whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from chiral.interface.peer import PeerId, PeerInfo


class Stream(Protocol):
    """One two-way stream to a peer, negotiated for `protocol`. Every method may be cancelled without harm to others."""

    @property
    def peer(self) -> PeerId: ...

    @property
    def protocol(self) -> str: ...

    @property
    def remote_addr(self) -> bytes | None:
        """The binary multiaddr the connection under this stream comes from or goes to."""
        ...

    async def read(self, max_bytes: int) -> bytes:
        """1 to `max_bytes` bytes, or `b""` at the remote's clean end. Raises `StreamResetError`."""
        ...

    async def read_to_end(self, limit_bytes: int) -> bytes:
        """All up to the remote's clean end; raises `LimitExceededError` past `limit_bytes`, `StreamResetError`."""
        ...

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`, waiting while the remote's window is closed. Raises `StreamResetError`."""
        ...

    async def finish(self, data: bytes | bytearray | memoryview = b"") -> None:
        """Send `data` and close this side for writing, in one flight where it fits; reading goes on."""
        ...

    async def close(self) -> None:
        """Close this side for writing and give up reading; what was written still arrives."""
        ...

    async def reset(self) -> None:
        """End both sides at once; the remote sees a reset."""
        ...


StreamHandler = Callable[[Stream], Awaitable[None]]
"""Serves one inbound stream. When it returns the stream is closed, when it raises the stream is reset."""


class Streams(Protocol):
    """Opening and serving streams. Dialling is the port's matter: any address known of the peer is tried."""

    @property
    def local_peer(self) -> PeerId: ...

    def serve(self, protocol: str, handler: StreamHandler) -> None:
        """Answer inbound streams of `protocol` with `handler` from now on; peers are told."""
        ...

    def unserve(self, protocol: str) -> None:
        """Refuse new inbound streams of `protocol` from now on; peers are told. Streams under way are served on."""
        ...

    async def open(self, peer: PeerId, protocols: Sequence[str]) -> Stream:
        """A stream to `peer` speaking the first of `protocols` it accepts, dialling if need be.

        Raises `PeerUnreachableError`, `UnsupportedProtocolError`, `StreamResetError`, `RequestTimeoutError`.
        """
        ...

    async def request(self, peer: PeerId, protocol: str, payload: bytes, *, limit_bytes: int) -> bytes:
        """Open, write `payload`, half-close, and return all of the answer up to the peer's clean end.

        The caller sets the deadline. Raises as `open` and `Stream.read_to_end` do.
        """
        ...


Direction = Literal["inbound", "outbound"]


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """What is known of a live connection, as shown to people. `since` and `latency_s` are seconds (clock.monotonic)."""

    peer: PeerId
    addr: bytes | None
    direction: Direction
    since: float
    agent: str = ""
    protocols: tuple[str, ...] = ()
    latency_s: float | None = None
    streams: int = 0


ConnectionListener = Callable[[PeerId], None]


class Connections(Protocol):
    """The live connections and the address book."""

    def add_addrs(self, peer: PeerId, addrs: Iterable[bytes], *, ttl_s: float) -> None:
        """Remember addresses to dial `peer` at; malformed ones are left out."""
        ...

    def addrs_of(self, peer: PeerId) -> tuple[bytes, ...]: ...

    def listen_addrs(self) -> tuple[bytes, ...]:
        """The addresses this node is reached at, without `/p2p/…`; wildcard binds resolved to the interfaces' own."""
        ...

    def remote_addrs(self, peer: PeerId) -> tuple[bytes, ...]:
        """Where the live connections to `peer` really lead to or come from, whatever anybody says of it."""
        ...

    def is_connected(self, peer: PeerId) -> bool: ...

    def protocols_of(self, peer: PeerId) -> frozenset[str]:
        """What identify said the peer speaks; empty until then."""
        ...

    def connections(self) -> list[ConnectionInfo]: ...

    async def connect(self, info: PeerInfo) -> None:
        """Be connected to the peer, trying every address given or known. Raises `PeerUnreachableError`."""
        ...

    async def disconnect(self, peer: PeerId) -> None: ...

    def on_identified(self, listener: ConnectionListener) -> None:
        """Call `listener(peer)` each time identify has told a connected peer's protocols and addresses."""
        ...

    def on_disconnected(self, listener: ConnectionListener) -> None:
        """Call `listener(peer)` when the last connection to a peer is gone."""
        ...
