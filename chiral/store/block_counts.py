"""The sums over all blocks, kept beside the tables in the same transactions: counting anew would read everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chiral.store.schema import AnyTransaction, Tables, WriteTransaction

_KEYS = (b"block_bytes", b"packed_plain_bytes", b"packed_rest_bytes")
"""Of the sums in `BlockSizes`, in its order."""


@dataclass(slots=True)
class BlockSizes:
    """Sums in bytes, or how they change: of all blocks plain, of those compressed plain, and as they rest."""

    plain: int = 0
    packed_plain: int = 0
    packed_rest: int = 0

    @property
    def rest(self) -> int:
        """All blocks as they rest."""
        return self.plain - self.packed_plain + self.packed_rest

    def add(self, plain: int, packed_rest: int | None, sign: int = 1) -> None:
        """A block of `plain` bytes comes, or goes (-1); `packed_rest` is its frame's size if it is compressed."""
        self.plain += sign * plain
        if packed_rest is not None:
            self.packed_plain += sign * plain
            self.packed_rest += sign * packed_rest


def block_count(txn: AnyTransaction, tables: Tables) -> int:
    """How many blocks are held."""
    return txn.stat(tables.blocks)["entries"] + packed_count(txn, tables)


def packed_count(txn: AnyTransaction, tables: Tables) -> int:
    """How many of them are compressed."""
    return txn.stat(tables.packed)["entries"]


def block_sizes(txn: AnyTransaction, tables: Tables) -> BlockSizes:
    """The sums now."""
    return BlockSizes(*(_get(txn, tables, key) for key in _KEYS))


def change_sizes(txn: WriteTransaction, tables: Tables, by: BlockSizes) -> None:
    """Move the sums. What a damaged frame states may differ from what was added: they stop at nothing."""
    changes = zip(_KEYS, (by.plain, by.packed_plain, by.packed_rest), strict=True)
    for key, change in changes:
        if change:
            txn.put(key, max(0, _get(txn, tables, key) + change).to_bytes(8, "big"), db=tables.meta)


def _get(txn: AnyTransaction, tables: Tables, key: bytes) -> int:
    return int.from_bytes(txn.get(key, b"", db=tables.meta), "big")
