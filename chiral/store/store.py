"""The store as a whole: everything one environment keeps, opened and closed together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from chiral.store.blockstore import LmdbBlockstore
from chiral.store.catalogue import LmdbCatalogue
from chiral.store.datastore import LmdbDatastore
from chiral.store.environment import Environment
from chiral.store.providers import LmdbProviderStore
from chiral.store.settings import StoreSettings
from chiral.store.values import LmdbValueStore


@dataclass(frozen=True, slots=True)
class Store:
    """What a data directory keeps, by port."""

    blocks: LmdbBlockstore
    catalogue: LmdbCatalogue
    providers: LmdbProviderStore
    values: LmdbValueStore
    state: LmdbDatastore

    @classmethod
    def over(cls, environment: Environment) -> Store:
        """The ports of an open environment, whose owner closes it."""
        return cls(
            LmdbBlockstore(environment),
            LmdbCatalogue(environment),
            LmdbProviderStore(environment),
            LmdbValueStore(environment),
            LmdbDatastore(environment),
        )


@asynccontextmanager
async def open_store(data_directory: Path, settings: StoreSettings | None = None) -> AsyncIterator[Store]:
    """The store in `data_directory`, opened in a thread and closed on the way out, after what is queued is written.

    Raises as `Environment.open` does. Leave it after every task that uses it has ended.
    """
    environment = await trio.to_thread.run_sync(Environment.open, data_directory, settings)
    try:
        yield Store.over(environment)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(environment.close)
