"""Brings what is found in a store's directory to the layout this program knows: makes, backs up and migrates."""

from __future__ import annotations

import shutil
from pathlib import Path

import lmdb

from chiral.store.backup import back_up
from chiral.store.migrations import is_under_way, migrate
from chiral.store.schema import SCHEMA_VERSION, Tables, begin_store, open_tables, stored_version

COMPACTING_DIRECTORY = "compacting"
"""Where compaction writes the store anew, inside the store's directory."""


def clear_cut_compaction(directory: Path) -> None:
    """Remove what a compaction left that was cut before its copy was whole and in its place."""
    shutil.rmtree(directory / COMPACTING_DIRECTORY, ignore_errors=True)


def open_layout(environment: lmdb.Environment, directory: Path, *, with_backup: bool) -> Tables:
    """The tables of the store in `directory`; an empty one is begun, one of an older layout is backed up and migrated.

    Raises `StoreError` for a layout that is newer or foreign, `StoreFullError` where there is no room for the backup or
    the migration: the older layout is then as it was. Raises `lmdb.Error` too.
    """
    version = stored_version(environment, directory)
    if version is None:
        begin_store(environment)
        return open_tables(environment)
    if version < SCHEMA_VERSION and with_backup and not is_under_way(environment):
        back_up(environment, directory, version)
    tables = open_tables(environment)
    migrate(environment, tables, directory, version)
    return tables
