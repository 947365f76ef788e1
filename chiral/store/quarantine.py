"""The blocks found damaged: taken out of the tables that are served from, kept with the time and the reason.

What was there is kept too: somebody may want to see how it broke. It counts neither as a block nor against the quota.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from chiral.block.cid import CID
from chiral.errors import StoreError
from chiral.store.block_table import delete_blocks, find_block, has_blocks
from chiral.store.environment import Environment

if TYPE_CHECKING:
    from chiral.store.schema import ReadTransaction, Tables, WriteTransaction

_END_OF_HEAD = b"\n"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A damaged block: how many bytes are kept of it, why it is taken for one, when that was found (Unix seconds).

    `replaced` says that a sound one is held again.
    """

    cid: CID
    size_bytes: int
    reason: str
    found_at: float
    replaced: bool


class Quarantine:
    """That of one environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tables = environment.tables

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[Quarantined]:
        """Up to `limit` of them in multihash order, those after multihash `after`."""
        return await self._environment.read(lambda txn: self._page(after, limit, txn))

    async def count(self) -> int:
        return await self._environment.read(lambda txn: txn.stat(self._tables.quarantine)["entries"])

    async def forget(self, cids: Sequence[CID]) -> int:
        """Drop what is kept of them; returns how many there were."""
        keys = [cid.multihash for cid in cids]
        return await self._environment.write(
            lambda txn: sum(txn.delete(key, db=self._tables.quarantine) for key in keys), grows=False
        )

    def _page(self, after: bytes, limit: int, txn: ReadTransaction) -> list[Quarantined]:
        with txn.cursor(db=self._tables.quarantine) as cursor:
            if not (cursor.set_range(after) if after else cursor.first()):
                return []
            entries = ((key, value) for key, value in cursor.iternext() if key != after)
            return [_decode(key, value, txn, self._tables) for key, value in islice(entries, limit)]


def quarantine_block(txn: WriteTransaction, tables: Tables, cid: CID, reason: str, now: float) -> bool:
    """Take the block under the CID's multihash out of service; False if there is none. Needs no room in the store."""
    found = find_block(txn, tables, cid.multihash)
    if found is None:
        return False
    kept = bytes(found.value)
    delete_blocks(txn, tables, [cid.multihash])
    note_damage(txn, tables, cid, reason, now, kept)
    return True


def note_damage(txn: WriteTransaction, tables: Tables, cid: CID, reason: str, now: float, kept: bytes = b"") -> None:
    """Enter a block found damaged, and what is `kept` of it as it rested."""
    head = {"codec": cid.codec, "reason": reason, "at": now}
    txn.put(cid.multihash, json.dumps(head).encode() + _END_OF_HEAD + kept, db=tables.quarantine)


def _decode(key: bytes, value: bytes, txn: ReadTransaction, tables: Tables) -> Quarantined:
    head, _, kept = value.partition(_END_OF_HEAD)
    try:
        fields = json.loads(head)
        cid = CID(1, int(fields["codec"]), key)
        replaced = has_blocks(txn, tables, [key])[0]
        return Quarantined(cid, len(kept), str(fields["reason"]), float(fields["at"]), replaced)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError("an entry of the quarantine cannot be read") from error
