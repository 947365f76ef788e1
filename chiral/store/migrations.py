"""How a store of an older layout becomes one of this: what is to be done, and its doing in steps that survive a kill.

A step is one transaction with its place in the whole, so a migration that is cut goes on where it was. It must be
harmless to whoever wrote the older layout until the last one sets the version: no table they know is changed before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import lmdb

from chiral.store.file_index import index_files
from chiral.store.schema import SCHEMA_VERSION, Tables, put_version

if TYPE_CHECKING:
    from chiral.store.schema import ReadTransaction, WriteTransaction

logger = logging.getLogger(__name__)

Step = Callable[["WriteTransaction", Tables, bytes], bytes | None]
"""Does a part of the work, beginning at a place (empty: the beginning), and returns the place to go on at, None at the
end. Whatever it may have written of that part before is written again."""
_PLACE_KEY = b"migration"


@dataclass(frozen=True, slots=True)
class Migration:
    """From layout `version - 1` to `version`: `what` it brings, and its parts, done in order."""

    version: int
    what: str
    parts: tuple[Step, ...] = ()


MIGRATIONS: tuple[Migration, ...] = (
    Migration(2, "compressed blocks, quarantine and the files' index", parts=(index_files,)),
)


def migrate(
    environment: lmdb.Environment,
    tables: Tables,
    directory: Path,
    version: int,
    migrations: Sequence[Migration] = MIGRATIONS,
) -> None:
    """Bring the store in `directory` from layout `version` to the newest. Raises `lmdb.Error` with all before kept."""
    for migration in migrations:
        if migration.version > version:
            logger.info("store %s: layout %d: %s", directory, migration.version, migration.what)
            _apply(environment, tables, migration)


def is_under_way(environment: lmdb.Environment) -> bool:
    """Whether a migration of this store was begun and cut."""
    meta = environment.open_db(b"meta", create=False)
    with environment.begin() as txn:
        return txn.get(_PLACE_KEY, db=meta) is not None


def _apply(environment: lmdb.Environment, tables: Tables, migration: Migration) -> None:
    with environment.begin() as txn:
        part, place = _place(txn, tables, migration)
    while part < len(migration.parts):
        with environment.begin(write=True, buffers=True) as writing:
            next_place = migration.parts[part](writing, tables, place)
            part, place = (part + 1, b"") if next_place is None else (part, next_place)
            writing.put(_PLACE_KEY, b"%d:%d:%b" % (migration.version, part, place), db=tables.meta)
    with environment.begin(write=True, buffers=True) as writing:
        put_version(writing, tables.meta, migration.version)
        writing.delete(_PLACE_KEY, db=tables.meta)


def _place(txn: ReadTransaction, tables: Tables, migration: Migration) -> tuple[int, bytes]:
    """Which part of `migration` is next and where in it."""
    found = txn.get(_PLACE_KEY, b"", db=tables.meta)
    version, _, rest = found.partition(b":")
    if version != b"%d" % migration.version:
        return 0, b""
    part, _, place = rest.partition(b":")
    return int(part), place


assert MIGRATIONS[-1].version == SCHEMA_VERSION
