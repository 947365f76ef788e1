"""The dialling policy: every address of a peer is tried, a few at a time, and the first connection wins.

Addresses start a quarter of a second apart, sooner when one fails (RFC 8305's idea). A peer none of whose addresses
answered is not dialled again for a moment, unless an address is new; one where somebody else answered is dropped.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable, Sequence

import trio

from chiral.clock import Clock
from chiral.errors import LocalError, PeerUnreachableError, RemoteError
from chiral.host.address_book import AddressBook
from chiral.host.addresses import Endpoint, address_text, endpoint_of
from chiral.host.connection import Connection
from chiral.host.upgrade import WrongPeerError
from chiral.interface.peer import PeerId

logger = logging.getLogger(__name__)

_STAGGER_S = 0.25
_AVOID_S = 2.0
_MAX_REMEMBERED_FAILURES = 1000

Upgrade = Callable[[trio.SocketStream, PeerId, bytes], Awaitable[Connection]]


class Dialer:
    """Dials peers at the addresses in the book, at most `max_dials` addresses at once."""

    def __init__(self, book: AddressBook, upgrade: Upgrade, clock: Clock, *, max_dials: int, timeout_s: float) -> None:
        self._book = book
        self._upgrade = upgrade
        self._clock = clock
        self._slots = trio.CapacityLimiter(max_dials)
        self._timeout_s = timeout_s
        self._failed: dict[PeerId, tuple[float, frozenset[bytes]]] = {}

    async def dial(self, peer: PeerId) -> Connection:
        """A new connection to `peer`; raises `PeerUnreachableError` that tells what each address answered."""
        addrs = self._book.of(peer)
        if not addrs:
            raise PeerUnreachableError(f"no address of {peer} is known")
        self._refuse_if_just_failed(peer, addrs)
        race = _Race(self._slots, self._attempt)
        winner = await race.run(peer, addrs)
        if winner is not None:
            self._failed.pop(peer, None)
            return winner
        while len(self._failed) >= _MAX_REMEMBERED_FAILURES:
            self._failed.pop(next(iter(self._failed)))
        self._failed[peer] = (self._clock.monotonic() + _AVOID_S, frozenset(addrs))
        reasons = "; ".join(f"{address_text(addr)}: {reason}" for addr, reason in race.failures.items())
        raise PeerUnreachableError(f"{peer} cannot be reached ({reasons})")

    def _refuse_if_just_failed(self, peer: PeerId, addrs: Sequence[bytes]) -> None:
        until, tried = self._failed.get(peer, (0.0, frozenset()))
        if self._clock.monotonic() < until and tried.issuperset(addrs):
            raise PeerUnreachableError(f"{peer} could not be reached a moment ago")

    async def _attempt(self, peer: PeerId, addr: bytes) -> Connection:
        """One address within the time-out; raises a `RemoteError` whose message is the reason."""
        endpoint = endpoint_of(addr)
        assert endpoint is not None, "the book holds dialable addresses only"
        with trio.move_on_after(self._timeout_s):
            tcp = await _open_tcp(endpoint)
            try:
                return await self._upgrade(tcp, peer, addr)
            except WrongPeerError:
                self._book.forget(peer, addr)
                raise
        raise PeerUnreachableError(f"no answer within {self._timeout_s:g} s")


async def _open_tcp(endpoint: Endpoint) -> trio.SocketStream:
    try:
        if endpoint.dns:
            return await trio.open_tcp_stream(endpoint.host, endpoint.port)
        family = socket.AF_INET if endpoint.family == 4 else socket.AF_INET6
        sock = trio.socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise PeerUnreachableError((error.strerror or str(error)).lower()) from error
    try:
        await sock.connect((endpoint.host, endpoint.port))
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            raise PeerUnreachableError((error.strerror or str(error)).lower()) from error
        raise
    return trio.SocketStream(sock)


class _Race:
    """One dial of one peer: starts attempts in turn, keeps the first connection, closes any that come after it."""

    def __init__(self, slots: trio.CapacityLimiter, attempt: Callable[[PeerId, bytes], Awaitable[Connection]]) -> None:
        self._slots = slots
        self._attempt = attempt
        self._winner: Connection | None = None
        self.failures: dict[bytes, str] = {}

    async def run(self, peer: PeerId, addrs: Sequence[bytes]) -> Connection | None:
        """The winner, or None with every address's reason in `failures`."""
        try:
            async with trio.open_nursery() as nursery:
                for addr in addrs:
                    over = trio.Event()
                    nursery.start_soon(self._compete, peer, addr, over, nursery.cancel_scope)
                    with trio.move_on_after(_STAGGER_S):
                        await over.wait()
        except BaseException:
            if self._winner is not None:
                with trio.CancelScope(shield=True):
                    await self._winner.close()
            raise
        return self._winner

    async def _compete(self, peer: PeerId, addr: bytes, over: trio.Event, others: trio.CancelScope) -> None:
        try:
            async with self._slots:
                connection = await self._attempt(peer, addr)
        except (RemoteError, LocalError) as error:
            self.failures[addr] = error.message
            logger.debug("dialling %s at %s: %s", peer.short, address_text(addr), error)
        else:
            if self._winner is None:
                self._winner = connection
                others.cancel()
            else:
                with trio.CancelScope(shield=True):
                    await connection.close()
        finally:
            over.set()
