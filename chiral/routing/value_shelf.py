"""The value records that stand at this node: what may join them and which is told. Asks nobody else."""

from __future__ import annotations

from datetime import UTC, datetime

from chiral.clock import Clock
from chiral.errors import LimitExceededError, ProtocolError
from chiral.interface.values import ValueRecord, ValueStore
from chiral.kad.messages import Record
from chiral.kad.validation import Validators, best_first, namespace_of, validator_of


class ValueShelf:
    """Value records of every overlay, one an author under a key."""

    def __init__(self, store: ValueStore, validators: Validators, clock: Clock, ttl_s: float) -> None:
        self.validators = validators
        self._store = store
        self._clock = clock
        self._ttl_s = ttl_s

    async def told(self, key: bytes) -> Record | None:
        """What a GET_VALUE of `key` is answered with: of several authors' records the best, or None."""
        now = self._clock.wall()
        held = {record.value: record for record in await self._store.get(key, now)}
        validator = self.validators.get(namespace_of(key))
        if not held or validator is None:
            return None
        best = held[best_first(validator, key, list(held))[0]]
        received = datetime.fromtimestamp(best.received_at, UTC).isoformat(timespec="microseconds")
        ttl_s = max(1, int(best.expires_at - now))
        return Record(best.key, best.value, received.replace("+00:00", "Z"), ttl_s=ttl_s)

    async def values(self, key: bytes) -> list[bytes]:
        """The live values here under `key`."""
        return [record.value for record in await self._store.get(key, self._clock.wall())]

    async def keep(self, record: Record) -> None:
        """Take `record`, in place of an older one of its author.

        Raises `ProtocolError` if its validator refuses it or it is older than what its author has here already, and
        `LimitExceededError` if there is no room for it.
        """
        key, value = record.key, record.value
        validator = validator_of(self.validators, key)
        now = self._clock.wall()
        standing = validator.validate(key, value, now)
        before = next((held for held in await self._store.get(key, now) if held.author == standing.author), None)
        if before is not None and validator.select(key, [value, before.value]) != 0:
            raise ProtocolError("PUT_VALUE of a value older than the one held")
        ttl_s = min(self._ttl_s, record.ttl_s or self._ttl_s)
        expires_at = min(now + ttl_s, standing.expires_at)
        if not await self._store.put(ValueRecord(key, value, now, expires_at, standing.author)):
            raise LimitExceededError("there is no room for another value of this key or this author")
