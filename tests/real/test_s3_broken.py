"""A real S3 server that dies, and a network that fails and lies: errors are clear, nothing acknowledged is lost."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trio

from chiral.block.block import Block
from chiral.errors import IntegrityError, RemoteError, StoreError
from chiral.store.s3_blockstore import S3Blockstore
from chiral.store.s3_opening import open_s3_blocks
from interop import versitygw
from interop.versitygw import Server
from tests.contracts.blockstore import numbered
from tests.fakes.memory_store import MemoryDatastore
from tests.real import proxy as proxies
from tests.real.gateway import make_bucket, settings_for
from tests.real.proxy import Meddling, Proxy, Request

BLOCK_BYTES = 64 << 10
TIMEOUT_S = 1.5


@pytest.fixture
async def between(server: Server) -> AsyncIterator[tuple[Proxy, str]]:
    async with proxies.running(server.port) as running:
        yield running


@pytest.fixture
def proxy(between: tuple[Proxy, str]) -> Proxy:
    return between[0]


@pytest.fixture
async def blockstore(server: Server, between: tuple[Proxy, str], tmp_path: Path) -> AsyncIterator[S3Blockstore]:
    settings = settings_for(
        server,
        endpoint=between[1],
        prefix=f"{tmp_path.parent.name}-{tmp_path.name}",
        timeout_s=TIMEOUT_S,
        max_in_flight=4,
    )
    async with open_s3_blocks(settings, MemoryDatastore()) as blocks:
        yield blocks


def every(count: int, method: str, how: Meddling) -> Callable[[Request], Meddling]:
    """Meddle with each `count`th request of a method."""
    numbers = itertools.count(1)
    return lambda request: how if request.method == method and next(numbers) % count == 0 else Meddling.NONE


def once_each(method: str, how: Meddling) -> Callable[[Request], Meddling]:
    """Meddle with the first request of a method for each object."""
    seen: set[str] = set()

    def meddle(request: Request) -> Meddling:
        if request.method != method or request.target in seen:
            return Meddling.NONE
        seen.add(request.target)
        return how

    return meddle


@pytest.mark.parametrize("how", [Meddling.REFUSED, Meddling.DROPPED, Meddling.SILENT])
@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD"])
async def test_a_fault_now_and_then_is_not_even_seen(
    blockstore: S3Blockstore, proxy: Proxy, method: str, how: Meddling
) -> None:
    blocks = numbered(4, BLOCK_BYTES)
    proxy.meddle = once_each(method, how)
    assert await blockstore.put_many(blocks) == 4
    assert await blockstore.get_many([block.cid for block in blocks]) == [block.data for block in blocks]
    assert (await blockstore.stats()).blocks == 4


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (Meddling.REFUSED, "answers 500"),
        (Meddling.DROPPED, "cannot be reached"),
        (Meddling.SILENT, "did not answer within 1.5 s"),
        (Meddling.PAGE, "."),
    ],
)
async def test_a_fault_that_stays_is_told_and_loses_nothing(
    blockstore: S3Blockstore, proxy: Proxy, how: Meddling, said: str
) -> None:
    kept, refused = numbered(6, BLOCK_BYTES)[:3], numbered(6, BLOCK_BYTES)[3:]
    await blockstore.put_many(kept)
    await blockstore.stats()
    proxy.meddle = lambda request: how
    operations = [
        lambda: blockstore.put_many(refused),
        lambda: blockstore.get(kept[0].cid),
        lambda: blockstore.page(),
    ]
    for operation in operations:
        with pytest.raises((StoreError, IntegrityError), match=said) as caught:
            await operation()
        assert not isinstance(caught.value, RemoteError)
    proxy.meddle = lambda request: Meddling.NONE
    assert await blockstore.get_many([block.cid for block in kept]) == [block.data for block in kept]
    await blockstore.put_many(refused)
    assert (await blockstore.stats()).blocks == 6


async def test_writes_whose_answers_were_lost_are_counted_right(blockstore: S3Blockstore, proxy: Proxy) -> None:
    blocks = numbered(5, BLOCK_BYTES)
    await blockstore.put_many(blocks[:2])
    await blockstore.stats()
    proxy.meddle = every(1, "PUT", Meddling.DROPPED)
    with pytest.raises(StoreError, match="cannot be reached"):
        await blockstore.put_many(blocks[2:3])
    proxy.meddle = lambda request: Meddling.NONE
    assert (await blockstore.stats()).blocks == 3
    assert await blockstore.put_many(blocks) == 2


async def test_wrong_bytes_are_never_handed_on(blockstore: S3Blockstore, proxy: Proxy) -> None:
    block = numbered(1, BLOCK_BYTES)[0]
    await blockstore.put_many([block])
    proxy.meddle = every(2, "GET", Meddling.WRONG)
    assert [await blockstore.get(block.cid) for _ in range(3)] == [block.data] * 3
    proxy.meddle = every(1, "GET", Meddling.WRONG)
    with pytest.raises(IntegrityError, match=str(block.cid)):
        await blockstore.get(block.cid)


async def test_answers_cut_short_are_asked_for_again(blockstore: S3Blockstore, proxy: Proxy) -> None:
    blocks = numbered(4, BLOCK_BYTES)
    await blockstore.put_many(blocks)
    proxy.meddle = every(2, "GET", Meddling.SHORT)
    for block in blocks:
        assert await blockstore.get(block.cid) == block.data
    proxy.meddle = every(1, "GET", Meddling.SHORT)
    with pytest.raises(StoreError, match="broke off"):
        await blockstore.get(blocks[0].cid)


async def test_bytes_damaged_on_their_way_in_are_refused(blockstore: S3Blockstore, proxy: Proxy) -> None:
    block = Block.of(b"signed with its hash")

    def damage(request: Request) -> Meddling:
        if request.method == "PUT":
            object.__setattr__(request, "raw", request.raw[:-1] + b"?")
        return Meddling.NONE

    proxy.meddle = damage
    with pytest.raises(StoreError):
        await blockstore.put_many([block])
    proxy.meddle = lambda request: Meddling.NONE
    assert await blockstore.get(block.cid) is None


async def test_a_server_killed_in_the_middle(need_versitygw: None, tmp_path: Path) -> None:
    acknowledged: list[Block] = []
    faults: list[str] = []
    blocks = numbered(200, BLOCK_BYTES)
    state = MemoryDatastore()

    async def put_until_it_fails(store: S3Blockstore, reached: trio.Event) -> None:
        for start in range(0, len(blocks), 4):
            batch = blocks[start : start + 4]
            try:
                await store.put_many(batch)
            except StoreError as error:
                faults.append(error.message)
                return
            acknowledged.extend(batch)
            if len(acknowledged) >= 40:
                reached.set()

    with versitygw.running(tmp_path) as first:
        make_bucket(first)
        settings = settings_for(first, max_in_flight=4)
        async with open_s3_blocks(settings, state) as store:
            reached = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(put_until_it_fails, store, reached)
                await reached.wait()
                first.kill()
            assert 40 <= len(acknowledged) < len(blocks)
            assert "cannot be reached" in faults[0]
            with versitygw.running(tmp_path, before=first):
                cids = [block.cid for block in acknowledged]
                assert await store.get_many(cids) == [block.data for block in acknowledged]
                await store.put_many(blocks)
                assert (await store.stats()).blocks == len(blocks)
