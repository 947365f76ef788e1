"""Receives accepted sockets: takes each through its handshake, within a limit that stalled remotes cannot hold.

Addresses from which the rules were broken too often are not received at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from chiral.errors import LimitExceededError, ProtocolError, RequestTimeoutError
from chiral.host.connection import Connection
from chiral.host.offenders import Offenders, site_of

_PATIENCE_S = 1.0
"""A handshake takes milliseconds of work and a few round trips; one that takes this long gives way to a new one."""


@dataclass(frozen=True, slots=True)
class _Guest:
    """A socket in its handshake, since when, and how to turn it out."""

    since: float
    scope: trio.CancelScope


class Reception:
    """Makes connections of at most `max_pending` sockets at once, each within `timeout_s`."""

    def __init__(
        self, upgrade: Callable[[trio.SocketStream], Awaitable[Connection]], max_pending: int, timeout_s: float
    ) -> None:
        self._upgrade = upgrade
        self._max_pending = max_pending
        self._timeout_s = timeout_s
        self._guests: dict[trio.SocketStream, _Guest] = {}
        """In the order they came."""
        self._offenders = Offenders()

    async def receive(self, tcp: trio.SocketStream) -> Connection:
        """The connection over an accepted socket; raises a `RemoteError`. The caller closes the socket then."""
        site = _site(tcp)
        self._offenders.admit(site, trio.current_time())
        self._make_room()
        try:
            connection = await self._shake_hands(tcp)
        except ProtocolError as error:
            self._note(site, error)
            raise
        connection.on_end(lambda cause: self._note(site, cause))
        return connection

    async def _shake_hands(self, tcp: trio.SocketStream) -> Connection:
        with trio.move_on_after(self._timeout_s) as scope:
            self._guests[tcp] = _Guest(trio.current_time(), scope)
            try:
                return await self._upgrade(tcp)
            finally:
                self._guests.pop(tcp, None)
        raise RequestTimeoutError("the remote did not finish its handshake in time")

    def _note(self, site: str, cause: Exception | None) -> None:
        self._offenders.note(site, cause, trio.current_time())

    def _make_room(self) -> None:
        """Turn out the oldest guest if the limit is reached and it has stalled; else raise `LimitExceededError`."""
        if len(self._guests) < self._max_pending:
            return
        tcp, oldest = next(iter(self._guests.items()))
        if trio.current_time() - oldest.since < _PATIENCE_S:
            raise LimitExceededError(f"{self._max_pending} handshakes are under way (host.max_pending_inbound)")
        del self._guests[tcp]
        oldest.scope.cancel()


def _site(tcp: trio.SocketStream) -> str:
    """Where a socket comes from; empty if it is gone already."""
    try:
        return site_of(str(tcp.socket.getpeername()[0]))
    except OSError:
        return ""
