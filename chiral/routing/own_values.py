"""The value records this node publishes, kept in the datastore, and when each is to be published again."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from heapq import nsmallest

from chiral.errors import StoreError
from chiral.interface.datastore import Datastore

_TABLE = "own_values"
_DUE = struct.Struct(">d")
_PAGE = 500
_SPREAD = 0.1


class OwnValues:
    """Keys and due times in memory, values on the disk. `load` brings back what stood there before a restart."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._due: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._due)

    async def load(self) -> None:
        """Read what is kept; raises `StoreError`."""
        after = b""
        while page := await self._datastore.page(_TABLE, after=after, limit=_PAGE):
            for key, data in page:
                self._due.setdefault(key, _decode(data)[0])
            after = page[-1][0]

    async def put(self, values: Mapping[bytes, bytes], due_at: Mapping[bytes, float]) -> None:
        """Keep `values` to be published at the times given (Unix seconds), in one transaction."""
        await self._datastore.put_many(_TABLE, {key: _DUE.pack(due_at[key]) + value for key, value in values.items()})
        self._due.update({key: due_at[key] for key in values})

    def defer(self, keys: Sequence[bytes], until: float) -> None:
        """Have `keys` due at `until`, as long as this process lives: after a restart they are tried at once."""
        self._due.update(dict.fromkeys([key for key in keys if key in self._due], until))

    async def remove(self, keys: Sequence[bytes]) -> None:
        """Publish `keys` no longer."""
        held = [key for key in keys if self._due.pop(key, None) is not None]
        if held:
            await self._datastore.put_many(_TABLE, dict.fromkeys(held))

    async def value(self, key: bytes) -> bytes | None:
        """The value published under `key`, or None."""
        data = await self._datastore.get(_TABLE, key)
        return None if data is None else _decode(data)[1]

    def due(self, now: float, limit: int) -> list[bytes]:
        """Up to `limit` keys whose time has come, the longest due first."""
        waiting = ((due_at, key) for key, due_at in self._due.items() if due_at <= now)
        return [key for _, key in nsmallest(limit, waiting)]

    def next_due(self) -> float | None:
        """When the next is due; None if there is none."""
        return min(self._due.values(), default=None)


def spread(key: bytes, interval_s: float) -> float:
    """`interval_s` less up to a tenth, always the same for one key, so that keys do not stay bunched up."""
    return interval_s * (1 - _SPREAD * hashlib.sha256(key).digest()[0] / 255)


def _decode(data: bytes) -> tuple[float, bytes]:
    if len(data) < _DUE.size:
        raise StoreError("a published value in the store cannot be read")
    return float(_DUE.unpack_from(data)[0]), data[_DUE.size :]
