"""Opens the object store that a node keeps its blocks in: whose it is, how much it held, and that it answers at all.

`<prefix>chiral-store` in the bucket names the data directory that writes there, because two nodes on one prefix would
collect each other's blocks. The count of blocks is kept in the data directory while the store is closed.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from chiral.errors import ConfigError, StoreError
from chiral.interface.datastore import Datastore
from chiral.store.s3_blockstore import S3Blockstore
from chiral.store.s3_objects import Bucket
from chiral.store.s3_settings import S3Settings
from chiral.store.s3_tally import Tally

logger = logging.getLogger(__name__)

LAYOUT_VERSION = 1
STATE_TABLE = "s3"
_MARKER = "chiral-store"
_OWNER_KEY = b"owner"
_COUNT_KEY = b"count"
_OWNER_BYTES = 16


@asynccontextmanager
async def open_s3_blocks(
    settings: S3Settings, state: Datastore, *, quota_bytes: int = 0, verify_writes: bool = False
) -> AsyncIterator[S3Blockstore]:
    """The blockstore in the bucket that the settings name, for the data directory that `state` belongs to.

    `quota_bytes` and `verify_writes` as `S3Blockstore` has them.

    Raises `StoreError` if the bucket cannot be used or another data directory writes under the prefix, and
    `FileAccessError` for a secret's file that cannot be read.
    """
    bucket = await trio.to_thread.run_sync(_connect, settings)
    try:
        async with open_bucket(bucket, settings, state, quota_bytes=quota_bytes, verify_writes=verify_writes) as blocks:
            yield blocks
    finally:
        bucket.close()


@asynccontextmanager
async def open_bucket(
    bucket: Bucket, settings: S3Settings, state: Datastore, *, quota_bytes: int = 0, verify_writes: bool = False
) -> AsyncIterator[S3Blockstore]:
    """The same in a bucket at hand, which stays open."""
    place = f"{settings.bucket}/{settings.prefix}"
    conditional = await _claim(bucket, settings, state, place)
    counted = f"{settings.endpoint}/{place}"
    tally = await _take_count(state, counted)
    blocks = S3Blockstore(
        bucket, settings, tally, conditional=conditional, quota_bytes=quota_bytes, verify_writes=verify_writes
    )
    await blocks.count_if_small()
    try:
        yield blocks
    finally:
        with trio.CancelScope(shield=True):
            await _keep_count(state, counted, blocks.tally)


def _connect(settings: S3Settings) -> Bucket:
    try:
        from chiral.store.s3_bucket import S3Bucket
    except ImportError as error:
        raise ConfigError(
            "blocks in an object store need the package botocore", hint="pip install 'chiral[s3]'"
        ) from error
    return S3Bucket(settings)


async def _claim(bucket: Bucket, settings: S3Settings, state: Datastore, place: str) -> bool:
    """Make sure that nobody else writes under the prefix, and write there who does.

    Returns whether the store puts on the condition that nothing is there: it is shown by one that must not happen.
    """
    key = settings.prefix + _MARKER
    owner = await state.get(STATE_TABLE, _OWNER_KEY)
    if owner is None:
        owner = secrets.token_hex(_OWNER_BYTES).encode()
        await state.put_many(STATE_TABLE, {_OWNER_KEY: owner})
    marker = json.dumps({"layout": LAYOUT_VERSION, "owner": owner.decode()}).encode()
    found = await trio.to_thread.run_sync(bucket.get, key)
    if found is None:
        await trio.to_thread.run_sync(bucket.put_new, key, marker)
        found = await trio.to_thread.run_sync(bucket.get, key)
    if _owner_in(found, place) != owner.decode():
        if not settings.take_over:
            raise StoreError(
                f"{place} holds the blocks of another data directory",
                hint="choose another store.s3.prefix, or set store.s3.take_over if that directory is gone",
            )
        logger.warning("taking over %s from another data directory", place)
        await trio.to_thread.run_sync(bucket.put, key, marker)
    return not await trio.to_thread.run_sync(bucket.put_new, key, marker)


def _owner_in(marker: bytes | None, place: str) -> str:
    try:
        told = json.loads(marker or b"")
        layout, owner = int(told["layout"]), str(told["owner"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"what {_MARKER} in {place} says cannot be read", hint="choose another prefix") from error
    if layout > LAYOUT_VERSION:
        raise StoreError(
            f"the blocks in {place} have layout {layout}, newer than this Chiral knows ({LAYOUT_VERSION})",
            hint="run the version of Chiral that wrote them, or a newer one",
        )
    return owner


async def _take_count(state: Datastore, place: str) -> Tally | None:
    """The count that the last clean end left, taken away so that a kill leaves none; None if there is none."""
    kept = await state.get(STATE_TABLE, _COUNT_KEY)
    if kept is None:
        return None
    await state.put_many(STATE_TABLE, {_COUNT_KEY: None})
    try:
        told = json.loads(kept)
        return Tally.of(int(told["blocks"]), int(told["size_bytes"])) if told["place"] == place else None
    except (ValueError, KeyError, TypeError):
        return None


async def _keep_count(state: Datastore, place: str, tally: Tally) -> None:
    if not tally.exact:
        return
    kept = {"place": place, "blocks": tally.blocks, "size_bytes": tally.size_bytes}
    try:
        await state.put_many(STATE_TABLE, {_COUNT_KEY: json.dumps(kept).encode()})
    except StoreError as error:
        logger.warning("the count of blocks is not kept and will be made anew: %s", error)
