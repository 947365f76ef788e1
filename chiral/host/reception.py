"""Receives accepted sockets: takes each through its handshake, within a limit that stalled remotes cannot hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from chiral.errors import LimitExceededError, RequestTimeoutError
from chiral.host.connection import Connection

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

    async def receive(self, tcp: trio.SocketStream) -> Connection:
        """The connection over an accepted socket; raises a `RemoteError`. The caller closes the socket then."""
        self._make_room()
        with trio.move_on_after(self._timeout_s) as scope:
            self._guests[tcp] = _Guest(trio.current_time(), scope)
            try:
                return await self._upgrade(tcp)
            finally:
                self._guests.pop(tcp, None)
        raise RequestTimeoutError("the remote did not finish its handshake in time")

    def _make_room(self) -> None:
        """Turn out the oldest guest if the limit is reached and it has stalled; else raise `LimitExceededError`."""
        if len(self._guests) < self._max_pending:
            return
        tcp, oldest = next(iter(self._guests.items()))
        if trio.current_time() - oldest.since < _PATIENCE_S:
            raise LimitExceededError(f"{self._max_pending} handshakes are under way (host.max_pending_inbound)")
        del self._guests[tcp]
        oldest.scope.cancel()
