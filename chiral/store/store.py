"""The store as a whole: everything one environment keeps, opened and closed together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue
from chiral.store.blockstore import LmdbBlockstore
from chiral.store.cached_blockstore import CachedBlockstore
from chiral.store.catalogue import LmdbCatalogue
from chiral.store.datastore import LmdbDatastore
from chiral.store.environment import Environment
from chiral.store.pins import LmdbPins
from chiral.store.providers import LmdbProviderStore
from chiral.store.s3_catalogue import SplitCatalogue
from chiral.store.s3_opening import open_s3_blocks
from chiral.store.settings import StoreSettings
from chiral.store.values import LmdbValueStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Store:
    """What a data directory keeps, by port, and the `environment` in which it does."""

    environment: Environment
    blocks: Blockstore
    catalogue: Catalogue
    providers: LmdbProviderStore
    values: LmdbValueStore
    state: LmdbDatastore
    pins: LmdbPins

    @classmethod
    def over(cls, environment: Environment, blocks: Blockstore | None = None) -> Store:
        """The ports of an open environment, whose owner closes it; `blocks` are kept elsewhere, else in it too."""
        return cls(
            environment,
            _local_blocks(environment) if blocks is None else blocks,
            LmdbCatalogue(environment) if blocks is None else SplitCatalogue(environment, blocks),
            LmdbProviderStore(environment),
            LmdbValueStore(environment),
            LmdbDatastore(environment),
            LmdbPins(environment),
        )


@asynccontextmanager
async def open_store(data_directory: Path, settings: StoreSettings | None = None) -> AsyncIterator[Store]:
    """The store in `data_directory`, opened in a thread and closed on the way out, after what is queued is written.

    Raises as `Environment.open` does, and as `open_s3_blocks` where blocks are kept in an object store. Leave it after
    every task that uses it has ended.
    """
    environment = await trio.to_thread.run_sync(Environment.open, data_directory, settings)
    try:
        async with _remote_blocks(environment) as blocks:
            yield Store.over(environment, blocks)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(environment.close)


def _local_blocks(environment: Environment) -> Blockstore:
    """The blocks in `environment`, with those in memory that are costly to read."""
    blocks = LmdbBlockstore(environment)
    limit_bytes = environment.settings.cache_bytes
    return CachedBlockstore.over_lmdb(blocks, limit_bytes) if limit_bytes else blocks


@asynccontextmanager
async def _remote_blocks(environment: Environment) -> AsyncIterator[Blockstore | None]:
    """The blockstore outside this machine that the settings name, or None. Raises as `open_s3_blocks` does."""
    settings = environment.settings
    if settings.blocks == "lmdb":
        yield None
        return
    left = (await LmdbBlockstore(environment).stats()).blocks
    if left:
        logger.warning("%d blocks in %s are not seen while store.blocks is s3", left, environment.directory)
    state = LmdbDatastore(environment)
    async with open_s3_blocks(
        settings.s3, state, quota_bytes=settings.quota_bytes, verify_writes=settings.verify_on_write
    ) as blocks:
        yield CachedBlockstore(blocks, settings.cache_bytes)
