"""Keeps routing tables in the store from run to run. Decides neither who is in a table nor when it is saved."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from heapq import nlargest

from chiral.errors import StoreError
from chiral.interface.datastore import Datastore
from chiral.interface.peer import PeerId
from chiral.kad.saved_peer import SavedPeer, decode_saved, key_of, key_prefix
from chiral.routing.table_settings import TableSettings

TABLE = "kad-table"
_PAGE = 1000
_FRESHER_S = 3600
_log = logging.getLogger(__name__)


class SavedTable:
    """The saved table of one protocol: the live peers, and for `keep_s` seconds those that left.

    These stay because it may have been this node that was cut off, and then they are its only way back.
    """

    def __init__(self, datastore: Datastore, protocol: str, settings: TableSettings) -> None:
        self._datastore = datastore
        self._protocol = protocol
        self._settings = settings
        self._held: dict[PeerId, SavedPeer] | None = None
        """What the store holds; None until it was read."""
        self._damaged: list[bytes] = []

    async def load(self, now: float) -> list[SavedPeer]:
        """The saved peers, those seen last first; damaged records are named in the log and passed over.

        `now` is in Unix seconds: who was seen in the future was seen now, by a clock that went wrong. Raises
        `StoreError`.
        """
        held: dict[PeerId, SavedPeer] = {}
        self._damaged = []
        prefix = key_prefix(self._protocol)
        after = b""
        while page := await self._datastore.page(TABLE, prefix, after, _PAGE):
            for key, value in page:
                try:
                    saved = decode_saved(self._protocol, key, value)
                except StoreError as error:
                    _log.warning("saved routing table: %s", error.message)
                    self._damaged.append(key)
                else:
                    held[saved.peer] = SavedPeer(saved.peer, saved.addrs, min(saved.seen_at, int(now)))
            after = page[-1][0]
        self._held = held
        return sorted(held.values(), key=lambda saved: -saved.seen_at)

    async def save(self, live: Iterable[SavedPeer], now: float, *, exact: bool = False) -> int:
        """Save what has changed, in one transaction; returns how many records were written or deleted.

        That a peer of the table was seen again is a change after an hour, or at once if `exact`. Raises `StoreError`.
        """
        if self._held is None:
            await self.load(now)
        held = self._held or {}
        oldest = now - self._settings.keep_s
        kept = {peer: saved for peer, saved in held.items() if saved.seen_at >= oldest}
        kept |= {saved.peer: saved for saved in live}
        newest = nlargest(self._settings.saved_peers, kept.values(), key=lambda saved: saved.seen_at)
        step = 1 if exact else _FRESHER_S
        wanted = {saved.peer: saved for saved in newest}
        written = {peer: saved for peer, saved in wanted.items() if _differs(held.get(peer), saved, step)}
        gone = [peer for peer in held if peer not in wanted]
        items: dict[bytes, bytes | None] = {key: None for key in self._damaged}
        items |= {key_of(self._protocol, peer): None for peer in gone}
        items |= {key_of(self._protocol, peer): saved.encode() for peer, saved in written.items()}
        if items:
            await self._datastore.put_many(TABLE, items)
            self._damaged = []
            self._held = {peer: saved for peer, saved in (held | written).items() if peer in wanted}
        return len(items)


def _differs(held: SavedPeer | None, saved: SavedPeer, step_s: int) -> bool:
    return held is None or set(held.addrs) != set(saved.addrs) or saved.seen_at - held.seen_at >= step_s
