"""Provider records of the DHT in LMDB, behind the `ProviderStore` port, within limits per key, per peer and in all.

Over the limit of a key the record received longest ago makes room. Over the other two a new record is not taken: one
peer, or many, cannot push out what others announced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from chiral.interface.peer import PeerId
from chiral.interface.providers import ProviderLimits, ProviderRecord
from chiral.store.environment import Environment
from chiral.store.expiry_index import add_expiry, drop_expiry, expired_keys
from chiral.store.provider_record import PREFIX_BYTES, decode_provider, encode_provider, key_prefix, provider_times

if TYPE_CHECKING:
    from chiral.store.schema import AnyTransaction, ReadTransaction, WriteTransaction


class LmdbProviderStore:
    """The `ProviderStore` of an environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tables = environment.tables
        self._settings = environment.settings

    @property
    def limits(self) -> ProviderLimits:
        settings = self._settings
        return ProviderLimits(settings.providers_per_key, settings.providers_per_peer, settings.providers_total)

    async def add_many(self, records: Sequence[ProviderRecord]) -> int:
        batch = list(records)

        def apply(txn: WriteTransaction) -> int:
            return sum(self._add(txn, record) for record in batch)

        return await self._environment.write(apply)

    async def get(self, key: bytes, now: float) -> list[ProviderRecord]:
        def look(txn: ReadTransaction) -> list[ProviderRecord]:
            found = (decode_provider(bytes(at), bytes(value)) for at, value in self._of_key(txn, key_prefix(key)))
            return sorted((r for r in found if r.expires_at > now), key=lambda r: r.received_at, reverse=True)

        return await self._environment.read(look)

    async def remove(self, key: bytes, peer: PeerId) -> bool:
        return await self._environment.write(partial(self._delete, key_prefix(key) + peer.raw), grows=False)

    async def sweep(self, now: float, limit: int = 10_000) -> int:
        def apply(txn: WriteTransaction) -> int:
            due = expired_keys(txn, self._tables.provider_expiry, now, limit)
            return sum(self._delete(at, txn) for _, at in due)

        return await self._environment.write(apply, grows=False)

    async def count(self) -> int:
        return await self._environment.read(self._count)

    def _add(self, txn: WriteTransaction, record: ProviderRecord) -> bool:
        prefix = key_prefix(record.key)
        at = prefix + record.peer.raw
        before = txn.get(at, db=self._tables.providers)
        if before is not None:
            drop_expiry(txn, self._tables.provider_expiry, provider_times(before)[1], at)
        elif not self._make_room(txn, prefix, record):
            return False
        txn.put(at, encode_provider(record), db=self._tables.providers)
        add_expiry(txn, self._tables.provider_expiry, record.expires_at, at)
        return True

    def _make_room(self, txn: WriteTransaction, prefix: bytes, record: ProviderRecord) -> bool:
        """Whether a new record may be added; then it is counted for its peer, and its key has room."""
        of_peer = self._count_of_peer(txn, record.peer.raw)
        if of_peer >= self._settings.providers_per_peer:
            return False
        held = [(provider_times(value)[0], bytes(at)) for at, value in self._of_key(txn, prefix)]
        if len(held) >= self._settings.providers_per_key:
            oldest = min(held)
            if record.received_at < oldest[0]:
                return False
            self._delete(oldest[1], txn)
        elif self._count(txn) >= self._settings.providers_total:
            return False
        self._set_count_of_peer(txn, record.peer.raw, of_peer + 1)
        return True

    def _delete(self, at: bytes, txn: WriteTransaction) -> bool:
        value = txn.get(at, db=self._tables.providers)
        if value is None:
            return False
        drop_expiry(txn, self._tables.provider_expiry, provider_times(value)[1], at)
        txn.delete(at, db=self._tables.providers)
        peer = at[PREFIX_BYTES:]
        self._set_count_of_peer(txn, peer, self._count_of_peer(txn, peer) - 1)
        return True

    def _of_key(self, txn: AnyTransaction, prefix: bytes) -> Iterator[tuple[bytes | memoryview, bytes | memoryview]]:
        with txn.cursor(db=self._tables.providers) as cursor:
            more = cursor.set_range(prefix)
            while more and cursor.key()[:PREFIX_BYTES] == prefix:
                yield cursor.item()
                more = cursor.next()

    def _count(self, txn: AnyTransaction) -> int:
        return txn.stat(self._tables.providers)["entries"]

    def _count_of_peer(self, txn: WriteTransaction, peer: bytes) -> int:
        return int.from_bytes(txn.get(peer, b"", db=self._tables.provider_peers), "big")

    def _set_count_of_peer(self, txn: WriteTransaction, peer: bytes, count: int) -> None:
        if count > 0:
            txn.put(peer, count.to_bytes(4, "big"), db=self._tables.provider_peers)
        else:
            txn.delete(peer, db=self._tables.provider_peers)
