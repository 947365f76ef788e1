"""The dialling policy: every address of a peer is tried, a few at a time, and the first connection wins.

Addresses start a quarter of a second apart, sooner when one fails (RFC 8305's idea). A peer none of whose addresses
answered is not dialled again for a moment, unless an address is new; one where somebody else answered is dropped.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import trio

from chiral.clock import Clock
from chiral.errors import LocalError, PeerUnreachableError, ProtocolError, RemoteError
from chiral.host.address_book import AddressBook
from chiral.host.addresses import Endpoint, address_text, endpoint_of
from chiral.host.connection import Connection
from chiral.host.upgrade import WrongPeerError
from chiral.interface.peer import PeerId

logger = logging.getLogger(__name__)

_STAGGER_S = 0.25
_AVOID_S = 2.0
_MAX_REMEMBERED_FAILURES = 1000
_ANY_LOCAL = {0: None, 4: "0.0.0.0", 6: "::"}
"""The local address that keeps a dialled name to one family."""

Upgrade = Callable[[trio.SocketStream, PeerId, bytes], Awaitable[Connection]]


@dataclass(frozen=True, slots=True)
class _Failure:
    """A dial in vain: which addresses were tried, what they answered, until when not to try them again."""

    until: float
    addrs: frozenset[bytes]
    reasons: str


class Dialer:
    """Dials peers at the addresses in the book, at most `max_dials` addresses at once."""

    def __init__(self, book: AddressBook, upgrade: Upgrade, clock: Clock, *, max_dials: int, timeout_s: float) -> None:
        self._book = book
        self._upgrade = upgrade
        self._clock = clock
        self._slots = trio.CapacityLimiter(max_dials)
        self._timeout_s = timeout_s
        self._failures: OrderedDict[PeerId, _Failure] = OrderedDict()

    async def dial(self, peer: PeerId) -> Connection:
        """A new connection to `peer`; raises `PeerUnreachableError` that tells what each address answered."""
        addrs = self._book.of(peer)
        if not addrs:
            raise PeerUnreachableError(f"no address of {peer} is known")
        self._refuse_if_just_failed(peer, addrs)
        race = _Race(self._slots, self._attempt)
        winner = await race.run(peer, addrs)
        if winner is not None:
            self._failures.pop(peer, None)
            return winner
        reasons = "; ".join(f"{address_text(addr)}: {reason}" for addr, reason in race.failures.items())
        self._failures[peer] = _Failure(self._clock.monotonic() + _AVOID_S, frozenset(addrs), reasons)
        self._failures.move_to_end(peer)
        while len(self._failures) > _MAX_REMEMBERED_FAILURES:
            self._failures.popitem(last=False)
        raise PeerUnreachableError(f"{peer} cannot be reached ({reasons})")

    def _refuse_if_just_failed(self, peer: PeerId, addrs: Sequence[bytes]) -> None:
        failure = self._failures.get(peer)
        if failure is not None and self._clock.monotonic() < failure.until and failure.addrs.issuperset(addrs):
            raise PeerUnreachableError(f"{peer} could not be reached a moment ago ({failure.reasons})")

    async def _attempt(self, peer: PeerId, addr: bytes) -> Connection:
        """One address within the time-out; raises a `RemoteError` whose message is the reason."""
        endpoint = endpoint_of(addr)
        if endpoint is None:
            raise ProtocolError("not a TCP address")
        with trio.move_on_after(self._timeout_s):
            tcp = await _open_tcp(endpoint)
            try:
                return await self._upgrade(tcp, peer, addr)
            except WrongPeerError:
                self._book.forget(peer, addr)
                raise
        raise PeerUnreachableError(f"no answer within {self._timeout_s:g} s")


async def _open_tcp(endpoint: Endpoint) -> trio.SocketStream:
    """A TCP connection to an endpoint; raises `PeerUnreachableError` with the reason and nothing else."""
    try:
        if endpoint.dns:
            local = _ANY_LOCAL[endpoint.family]
            return await trio.open_tcp_stream(endpoint.host, endpoint.port, local_address=local)
        return await _connect(endpoint)
    except OSError as error:
        number = error.errno or 0
        raise PeerUnreachableError(os.strerror(number).lower() if number in errno.errorcode else str(error)) from error
    except ValueError as error:  # a name that cannot be asked of a resolver
        raise PeerUnreachableError(f"{endpoint.host[:80]!r} is not a host name") from error


async def _connect(endpoint: Endpoint) -> trio.SocketStream:
    sock = trio.socket.socket(socket.AF_INET if endpoint.family == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        await sock.connect((endpoint.host, endpoint.port))
    except BaseException:
        sock.close()
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
                await self._close(self._winner)
            raise
        return self._winner

    async def _compete(self, peer: PeerId, addr: bytes, over: trio.Event, others: trio.CancelScope) -> None:
        try:
            async with self._slots:
                connection = await self._attempt(peer, addr)
        except (RemoteError, LocalError) as error:
            self.failures[addr] = error.message
            logger.debug("dialling %s at %s: %s", peer, address_text(addr), error)
        else:
            if self._winner is None:
                self._winner = connection
                others.cancel()
            else:
                await self._close(connection)
        finally:
            over.set()

    @staticmethod
    async def _close(connection: Connection) -> None:
        with trio.CancelScope(shield=True):
            await connection.close()
