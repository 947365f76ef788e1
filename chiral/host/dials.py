"""Dials under way: whoever wants a peer that is being dialled waits for that dial; it ends for all or for none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from chiral.errors import PeerUnreachableError, RemoteError
from chiral.host.connection import Connection
from chiral.interface.peer import PeerId


class _Dial:
    """One dial, for all who wait for it."""

    __slots__ = ("connection", "error", "over")

    def __init__(self) -> None:
        self.over = trio.Event()
        self.connection: Connection | None = None
        self.error: RemoteError | None = None


class Dials:
    """At most one dial of each peer, in tasks of `nursery`: one waiter's cancellation does not end it for the others.

    `enter` takes each new connection into use, or closes it and raises a `RemoteError`.
    """

    def __init__(
        self,
        dial: Callable[[PeerId], Awaitable[Connection]],
        enter: Callable[[Connection], Awaitable[None]],
        nursery: trio.Nursery,
    ) -> None:
        self._dial = dial
        self._enter = enter
        self._nursery = nursery
        self._under_way: dict[PeerId, _Dial] = {}

    async def connection_to(self, peer: PeerId) -> Connection:
        """A fresh connection to `peer`. Raises a `RemoteError`, of its own for each who waits."""
        dial = self._under_way.get(peer)
        if dial is None:
            dial = self._under_way[peer] = _Dial()
            self._nursery.start_soon(self._run, peer, dial)
        await dial.over.wait()
        if dial.error is not None:
            raise type(dial.error)(dial.error.message, hint=dial.error.hint) from dial.error
        if dial.connection is None:
            raise PeerUnreachableError("this node is shutting down")
        return dial.connection

    async def _run(self, peer: PeerId, dial: _Dial) -> None:
        try:
            connection = await self._dial(peer)
            await self._enter(connection)
            dial.connection = connection
        except RemoteError as error:
            dial.error = error
        finally:
            del self._under_way[peer]
            dial.over.set()
