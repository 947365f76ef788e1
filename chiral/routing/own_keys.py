"""The keys this node provides itself: kept in the store, and when each is to be announced next. Sends nothing.

The store holds the keys by their points, with when each was announced and how many peers took it, so that a start goes
on where the last run ended, and what is due on one stretch of the ring is read in one go. Memory holds the ring alone.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable, Mapping, Sequence

import trio

from chiral.errors import LocalError
from chiral.interface.datastore import Datastore
from chiral.kad.key import KEY_BITS, KadKey
from chiral.kad.ring import NEVER, Ring
from chiral.kad.schedule import POSITION_BITS, Schedule

TABLE = "routing.own"
BY_HAND = "routing.own.by-hand"
_ROW = struct.Struct(">dH")
"""Unix seconds of the last announcement, and how many peers took it; the key follows."""
_PAGE = 1000
_SHIFT = KEY_BITS - POSITION_BITS
_log = logging.getLogger(__name__)


class OwnKeys:
    """Keys to keep announced: again at their turn of `schedule`, or `retry_s` later where no peer took the last one.

    Faults of the store are logged and raise nothing: keys are announced all the same, and known until the node ends.
    """

    def __init__(self, datastore: Datastore, schedule: Schedule, *, retry_s: float) -> None:
        self._datastore = datastore
        self._schedule = schedule
        self._retry_s = retry_s
        self._ring = Ring()
        self._loaded = trio.Event()

    def __len__(self) -> int:
        return len(self._ring)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and _position(key) in self._ring

    @property
    def pending(self) -> int:
        """How many keys no peer has taken yet."""
        return self._ring.untaken

    def due(self, now: float) -> int:
        """How many keys are due and not being announced."""
        return self._ring.due(now)

    def next_due(self) -> float:
        """When the next key is due, Unix seconds; infinite if there is none."""
        return self._ring.next_due()

    async def load(self) -> None:
        """Take up what the last run left."""
        after = b""
        try:
            while rows := await self._datastore.page(TABLE, after=after, limit=_PAGE):
                for digest, value in rows:
                    self._load_row(digest, value)
                after = rows[-1][0]
        except LocalError as error:
            _log.error("own announcements of the last run cannot be read: %s", error)
        finally:
            self._loaded.set()

    def _load_row(self, digest: bytes, value: bytes) -> None:
        position = _position_of(digest)
        if position in self._ring or len(value) <= _ROW.size:
            return
        announced_at, stored = _ROW.unpack_from(value)
        fresh = stored == NEVER
        due = self._schedule.next_turn(position, announced_at) if stored and not fresh else announced_at
        self._ring.put(position, due, None if fresh else stored)

    async def add(self, keys: Iterable[bytes], now: float, *, under_way: bool = False, by_hand: bool = False) -> None:
        """`keys` are provided from now on; those that were not yet are due at once, or being announced if `under_way`.

        Those `by_hand` are kept whatever `keep_only` is told.
        """
        rows: dict[bytes, bytes | None] = {}
        marks: dict[bytes, bytes | None] = {}
        for key in keys:
            digest = KadKey.of(key).digest
            position = _position_of(digest)
            known = self._ring.name(position)
            if under_way or not known:
                self._ring.put(position, float("inf") if under_way else now)
            if not known:
                rows[digest] = _ROW.pack(now, NEVER) + key
            if by_hand:
                marks[digest] = b""
        await self._write(TABLE, rows)
        await self._write(BY_HAND, marks)
        await trio.lowlevel.checkpoint()

    async def remove(self, keys: Iterable[bytes]) -> None:
        """Provide `keys` no longer."""
        await self._drop([KadKey.of(key).digest for key in keys])

    def announced(self, stored: Mapping[bytes, int], now: float, *, retry_s: float = 0.0) -> dict[bytes, bytes | None]:
        """So many peers took each key, if it was not removed meanwhile; returns what `save` is to write.

        Those that nobody took are due again after `retry_s`, or what was set for that if it is longer.
        """
        rows: dict[bytes, bytes | None] = {}
        for key, count in stored.items():
            digest = KadKey.of(key).digest
            position = _position_of(digest)
            if position in self._ring:
                again = self._schedule.next_turn(position, now) if count else now + max(retry_s, self._retry_s)
                self._ring.put(position, again, count)
                rows[digest] = _ROW.pack(now, min(count, NEVER - 1)) + key
        return rows

    async def save(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Write what `announced` returned, but for keys that were removed meanwhile."""
        await self._write(TABLE, {at: row for at, row in rows.items() if _position_of(at) in self._ring})

    async def take(self, now: float, limit: int) -> list[bytes]:
        """About `limit` keys due by `now`, the new ones first; none of them is due until `announced` is told of it."""
        positions = [position for run in self._ring.take(now, limit) for position in run]
        try:
            found = await self._read(sorted(positions))
        except BaseException:
            for position in positions:
                self._ring.put(position, now + self._retry_s)
            raise
        for position in positions:
            if position not in found:
                self._ring.discard(position)  # was never written, as on a full disk
        return list(found.values())

    async def _read(self, positions: Sequence[int]) -> dict[int, bytes]:
        """The keys at ascending `positions`, read in stretches."""
        found: dict[int, bytes] = {}
        wanted = set(positions)
        at = 0
        while at < len(positions):
            limit = min(_PAGE, 64 + len(positions) - at)
            rows = await self._datastore.page(TABLE, after=_before(positions[at]), limit=limit)
            for digest, value in rows:
                if (position := _position_of(digest)) in wanted:
                    found[position] = value[_ROW.size :]
            if len(rows) < limit:
                break
            last = _position_of(rows[-1][0])
            at += 1
            while at < len(positions) and positions[at] <= last:
                at += 1
        return found

    def hasten(self, now: float, below: int) -> None:
        """Make due at once the keys that fewer than `below` peers have taken."""
        self._ring.hasten(now, below)

    def hasten_around(self, now: float, point: KadKey, bits: int) -> None:
        """Make due at once the keys whose points share `bits` leading bits with `point`."""
        size = 1 << (POSITION_BITS - min(bits, POSITION_BITS))
        start = (point.value >> _SHIFT) // size * size
        self._ring.hasten_between(now, start, start + size)

    async def begin_naming(self) -> None:
        """Have `keep_named` drop the keys that are neither added by hand nor added or named again until then."""
        await self._loaded.wait()
        self._ring.begin_naming()

    async def keep_named(self) -> int:
        """Drop what was not named since `begin_naming`; returns how many keys that were."""
        kept: set[int] = set()
        after = b""
        while rows := await self._datastore.page(BY_HAND, after=after, limit=_PAGE):
            kept.update(_position_of(digest) for digest, _ in rows)
            after = rows[-1][0]
        dropped = {position for position in self._ring.unnamed() if position not in kept}
        after = b""
        while dropped and (rows := await self._datastore.page(TABLE, after=after, limit=_PAGE)):
            await self._drop([digest for digest, _ in rows if _position_of(digest) in dropped])
            after = rows[-1][0]
        return len(dropped)

    async def _drop(self, digests: Sequence[bytes]) -> None:
        for digest in digests:
            self._ring.discard(_position_of(digest))
        for table in (TABLE, BY_HAND):
            await self._write(table, dict.fromkeys(digests))

    async def _write(self, table: str, rows: Mapping[bytes, bytes | None]) -> None:
        if not rows:
            return
        try:
            # Also for who is being cancelled: it is short, and a key that is not written is forgotten at its turn.
            with trio.CancelScope(shield=True):
                await self._datastore.put_many(table, rows)
        except LocalError as error:
            _log.error("the state of %d own announcements cannot be kept: %s", len(rows), error)


def _position(key: bytes) -> int:
    return KadKey.of(key).value >> _SHIFT


def _position_of(digest: bytes) -> int:
    return int.from_bytes(digest[: POSITION_BITS // 8], "big")


def _before(position: int) -> bytes:
    """The key of a table that comes just before all points at `position`; empty before the first."""
    return ((position << _SHIFT) - 1).to_bytes(KEY_BITS // 8, "big") if position else b""
