"""Identify at work: asks every new peer who it is, hears when that changes, and tells peers when this host changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import trio

from chiral.errors import RemoteError, RequestTimeoutError
from chiral.host import identify
from chiral.host.acquaintances import Acquaintances
from chiral.host.address_book import AddressBook
from chiral.host.connection import Connection
from chiral.host.identify import Identifier, Identity
from chiral.host.opening import StreamOpener
from chiral.host.peer_listeners import PeerListeners
from chiral.interface.peer import PeerId
from chiral.interface.streams import Stream

logger = logging.getLogger(__name__)

_ADDRS_TTL_S = 24 * 3600.0
_LOOK_S = 60.0
"""How often this host looks whether its own addresses have changed."""


class Introductions:
    """Introduces this host to its peers, and them to it: what it learns goes to acquaintances and address book."""

    def __init__(
        self,
        identifier: Identifier,
        acquaintances: Acquaintances,
        book: AddressBook,
        opener: StreamOpener,
        timeout_s: float,
    ) -> None:
        self._identifier = identifier
        self._acquaintances = acquaintances
        self._book = book
        self._opener = opener
        self._timeout_s = timeout_s
        self.identified = PeerListeners()
        """Told of each peer that has told of itself."""
        self._changed = trio.Event()

    async def ask(self, connection: Connection) -> None:
        """Ask who is at the other end. A peer that does not say stays unknown: it is nobody's fault but its own."""
        peer = connection.peer
        try:
            with trio.fail_after(self._timeout_s):
                stream = await self._opener.open(connection, [identify.PROTOCOL], {identify.PROTOCOL})
                try:
                    await stream.finish()
                    message = await stream.read_to_end(identify.MAX_MESSAGE_BYTES)
                except BaseException:
                    await stream.reset()
                    raise
            identity = identify.decode(message, peer)
        except (RemoteError, trio.TooSlowError) as error:
            logger.debug("identifying %s: %s", peer, error)
            return
        self._acquaintances.learn(peer, identity)
        self._heard(peer, identity)

    async def take_push(self, stream: Stream) -> None:
        """Serve `/ipfs/id/push/1.0.0`. Raises a `RemoteError`."""
        with trio.move_on_after(self._timeout_s):
            news = identify.decode(await stream.read_to_end(identify.MAX_MESSAGE_BYTES), stream.peer)
            self._acquaintances.update(stream.peer, news)
            self._heard(stream.peer, news)
            return
        raise RequestTimeoutError(f"{stream.peer.short} did not finish what it had to tell")

    def changed(self) -> None:
        """What this host says of itself has changed."""
        self._changed.set()

    async def run(self, connections: Callable[[], Iterable[Connection]]) -> None:
        """Push to all `connections` whenever what this host says of itself changes."""
        told = self._identifier.encode(None)
        while True:
            with trio.move_on_after(_LOOK_S):
                await self._changed.wait()
            self._changed = trio.Event()
            now = self._identifier.encode(None)
            if now == told:
                continue
            told = now
            async with trio.open_nursery() as nursery:
                for connection in connections():
                    if identify.PUSH_PROTOCOL in self._acquaintances.of(connection.peer).protocols:
                        nursery.start_soon(self._push, connection)

    async def _push(self, connection: Connection) -> None:
        try:
            with trio.fail_after(self._timeout_s):
                stream = await self._opener.open(connection, [identify.PUSH_PROTOCOL], {identify.PUSH_PROTOCOL})
                await stream.finish(self._identifier.encode(connection.addr))
                await stream.close()
        except (RemoteError, trio.TooSlowError) as error:
            logger.debug("telling %s what changed: %s", connection.peer, error)

    def _heard(self, peer: PeerId, identity: Identity) -> None:
        self._book.add(peer, identity.addrs, ttl_s=_ADDRS_TTL_S)
        self.identified.tell(peer)
