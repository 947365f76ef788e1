"""Which files are made of a chunk, inside a transaction: the index that says when a chunk may go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chiral.store.schema import AnyTransaction, Tables, WriteTransaction


def add_user(txn: WriteTransaction, tables: Tables, root: bytes, chunks: Iterable[bytes]) -> None:
    """The file under `root` is made of `chunks`; all multihashes. In key order, to touch few pages."""
    for chunk in sorted(set(chunks)):
        txn.put(chunk, root, dupdata=False, db=tables.users)


def remove_user(txn: WriteTransaction, tables: Tables, root: bytes, chunks: Iterable[bytes]) -> None:
    """The file under `root` is no more, or no longer made of `chunks`."""
    for chunk in sorted(set(chunks)):
        txn.delete(chunk, root, db=tables.users)


def used_by_others(txn: AnyTransaction, tables: Tables, root: bytes, chunks: Iterable[bytes]) -> list[bool]:
    """For each chunk whether a file other than the one under `root` is made of it."""
    with txn.cursor(db=tables.users) as cursor:
        return [cursor.set_key(chunk) and (cursor.value() != root or cursor.next_dup()) for chunk in chunks]
