"""The driver of a session in virtual time: several peers, each with its own conduct, and one reader."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.clock import TrioClock
from chiral.errors import (
    ChiralError,
    IntegrityError,
    LimitExceededError,
    NotFoundError,
    PeerUnreachableError,
    ProtocolError,
    RequestTimeoutError,
    StoreFullError,
    StreamResetError,
    sole_error,
)
from chiral.events.bus import EventBus
from chiral.transfer.fetch import BlockFetch, BlockFetcher, Wanted
from chiral.transfer.finder import Candidate
from chiral.transfer.intake import Intake
from chiral.transfer.settings import TransferSettings
from tests.fakes.exchange import (
    Conduct,
    ScriptedPeer,
    ScriptedSwarm,
    garbling,
    gone,
    honest,
    lacking,
    lying,
    resetting,
    shortening,
    stalling,
)
from tests.fakes.memory_store import MemoryBlockstore

ROOT = CID.of(b"a root")
STALL_S = 60.0


def numbered(count: int) -> list[Block]:
    return [Block.of(number.to_bytes(4, "big") * 8) for number in range(count)]


class Rig:
    """One node that fetches from scripted peers into a store in memory."""

    def __init__(
        self, *peers: ScriptedPeer, delay_s: float = 0.0, store: MemoryBlockstore | None = None, **settings: float
    ) -> None:
        self.scripted = ScriptedSwarm(*peers, delay_s=delay_s)
        self.store = store or MemoryBlockstore()
        intake = Intake(self.store, EventBus())
        chosen = TransferSettings.model_validate(settings)
        self._fetcher = BlockFetcher(self.scripted.swarm, intake, chosen, TrioClock())

    def make(self, blocks: Sequence[Block], *peers: ScriptedPeer, missing: Sequence[int] | None = None) -> BlockFetch:
        wanted = Wanted(ROOT, [block.cid for block in blocks], range(len(blocks)) if missing is None else missing, 32)
        return self._fetcher.fetch(wanted, [Candidate(peer.id, claims=True) for peer in peers], stall_s=STALL_S)

    @asynccontextmanager
    async def running(self, fetch: BlockFetch) -> AsyncIterator[BlockFetch]:
        with sole_error():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fetch.run)
                yield fetch
                nursery.cancel_scope.cancel()

    async def read(self, blocks: Sequence[Block], *peers: ScriptedPeer, pause_s: float = 0.0) -> BlockFetch:
        """Fetch all `blocks` from `peers`, reading in order; checks every byte and that each is stored by then."""
        async with self.running(self.make(blocks, *peers)) as fetch:
            index = 0
            while index < len(blocks):
                taken = await fetch.take(index, 16)
                assert 0 < len(taken) <= 16
                for data in taken:
                    assert data == blocks[index].data
                    assert await self.store.has_many([blocks[index].cid]) == [True]
                    index += 1
                await trio.sleep(pause_s)
        return fetch


async def test_one_honest_peer(autojump_clock: MockClock) -> None:
    blocks = numbered(300)
    peer = ScriptedPeer(1).hold(blocks)
    fetch = await Rig(peer).read(blocks, peer)
    assert fetch.providers == 1
    assert sorted(map(str, peer.asked)) == sorted(str(block.cid) for block in blocks)


async def test_nothing_wanted_ends_at_once(autojump_clock: MockClock) -> None:
    await Rig().make([]).run()


async def test_several_peers_share_the_work(autojump_clock: MockClock) -> None:
    blocks = numbered(600)
    peers = [ScriptedPeer(number).hold(blocks) for number in (1, 2, 3)]
    fetch = await Rig(*peers).read(blocks, *peers)
    assert fetch.providers == 3
    assert sum(len(peer.asked) for peer in peers) == len(blocks)
    assert min(len(peer.asked) for peer in peers) > 100


async def test_the_path_is_kept_full(autojump_clock: MockClock) -> None:
    """On a path of 100 ms the time is that of the round trips a window of 64 takes, with few to widen it."""
    blocks = numbered(6400)
    peer = ScriptedPeer(1, latency_s=0.1).hold(blocks)
    await Rig(peer).read(blocks, peer)
    assert peer.most_in_flight == 64
    assert trio.current_time() < 0.1 * (6400 / 64 + 10)


async def test_the_path_stays_full_while_the_store_is_slow(autojump_clock: MockClock) -> None:
    class SlowStore(MemoryBlockstore):
        async def put_many(self, blocks: Iterable[Block]) -> int:
            await trio.sleep(0.2)
            return await super().put_many(blocks)

    blocks = numbered(6400)
    peer = ScriptedPeer(1, latency_s=0.1).hold(blocks)
    await Rig(peer, store=SlowStore(), lookahead=1000).read(blocks, peer)
    # 32 blocks a write, two writes at a time: the store's own pace, with nothing added for the path.
    assert trio.current_time() < 0.2 * 6400 / 64 + 1.0


@pytest.mark.parametrize("conduct", [lying, shortening, resetting, garbling, lacking, gone])
async def test_a_bad_peer_is_passed_over(autojump_clock: MockClock, conduct: Conduct) -> None:
    blocks = numbered(200)
    bad = ScriptedPeer(1, conduct).hold(blocks)
    good = ScriptedPeer(2).hold(blocks)
    rig = Rig(bad, good)
    fetch = await rig.read(blocks, bad, good)
    assert fetch.providers == 1
    assert (await rig.store.stats()).blocks == len(blocks)
    assert trio.current_time() < 5.0


async def test_a_peer_that_stalls_holds_the_reader_for_seconds_not_for_its_deadline(autojump_clock: MockClock) -> None:
    blocks = numbered(200)
    stalled = ScriptedPeer(1, stalling).hold(blocks)
    good = ScriptedPeer(2).hold(blocks)
    await Rig(stalled, good).read(blocks, stalled, good)
    assert trio.current_time() < 10.0


@pytest.mark.parametrize("conduct", [lying, resetting, stalling, gone])
async def test_a_peer_that_goes_bad_is_taken_over_from(autojump_clock: MockClock, conduct: Conduct) -> None:
    blocks = numbered(300)
    failing = ScriptedPeer(1).hold(blocks).after(100, conduct)
    other = ScriptedPeer(2).hold(blocks)
    rig = Rig(failing, other)
    rig.scripted.routing.knows(ROOT, other)
    fetch = await rig.read(blocks, failing)
    assert fetch.providers == 2


@pytest.mark.parametrize(
    ("conduct", "error"),
    [
        (lying, IntegrityError),
        (shortening, IntegrityError),
        (lacking, NotFoundError),
        (resetting, StreamResetError),
        (garbling, ProtocolError),
        (gone, PeerUnreachableError),
        (stalling, RequestTimeoutError),
    ],
)
async def test_nobody_left_is_a_bare_error_that_says_why(
    autojump_clock: MockClock, conduct: Conduct, error: type[ChiralError]
) -> None:
    blocks = numbered(200)
    bad = ScriptedPeer(1).hold(blocks).after(50, conduct)
    rig = Rig(bad)
    with pytest.raises(error) as raised:
        await rig.read(blocks, bad)
    assert str(ROOT) in raised.value.message
    assert (await rig.store.stats()).blocks <= 50


async def test_no_candidate_at_all_is_not_found(autojump_clock: MockClock) -> None:
    rig = Rig()
    with pytest.raises(NotFoundError):
        await rig.read(numbered(1))
    assert rig.scripted.routing.lookups[0][0] == ROOT.buffer, "the root's providers are looked for first"


async def test_a_block_over_the_limit_is_that_peers_fault(autojump_clock: MockClock) -> None:
    block = Block.of(bytes(3 << 20))
    peer = ScriptedPeer(1).hold([block])
    with pytest.raises(LimitExceededError):
        await Rig(peer).read([block], peer)


class TestSearch:
    async def test_the_roots_providers_are_looked_for_first_then_the_blocks(self, autojump_clock: MockClock) -> None:
        blocks = numbered(10)
        most = ScriptedPeer(1).hold(block for block in blocks if block is not blocks[7])
        rest = ScriptedPeer(2).hold(blocks[7:8])
        rig = Rig(most, rest)
        rig.scripted.routing.knows(blocks[7].cid, rest)
        await rig.read(blocks, most)
        assert rig.scripted.routing.lookups == [(c.buffer, c.multihash) for c in (ROOT, blocks[7].cid)]
        assert rest.asked[0] == blocks[7].cid

    async def test_a_provider_is_asked_while_the_search_goes_on(self, autojump_clock: MockClock) -> None:
        blocks = numbered(20)
        peers = [ScriptedPeer(number).hold(blocks) for number in range(1, 5)]
        rig = Rig(*peers, delay_s=5.0)
        rig.scripted.routing.knows(ROOT, *peers)
        await rig.read(blocks)
        assert trio.current_time() < 6.0

    async def test_blocks_come_while_it_goes_on(self, autojump_clock: MockClock) -> None:
        """One that lacks the first block brings the others meanwhile."""
        blocks = numbered(40)
        most = ScriptedPeer(1).hold(blocks[1:])
        first = ScriptedPeer(2).hold(blocks[:1])
        rig = Rig(most, first, delay_s=5.0)
        rig.scripted.routing.knows(blocks[0].cid, first)
        async with rig.running(rig.make(blocks, most)) as fetch:
            await trio.sleep(4.0)
            assert fetch.ready == 39
            await fetch.take(0, 1)

    async def test_a_big_file_looks_for_more_providers_from_the_start(self, autojump_clock: MockClock) -> None:
        blocks = numbered(1000)
        one, two = (ScriptedPeer(number).hold(blocks) for number in (1, 2))
        rig = Rig(one, two)
        rig.scripted.routing.knows(ROOT, one, two)
        assert (await rig.read(blocks, one)).providers == 2

    async def test_what_was_found_before_is_looked_for_again_once_blocks_have_come(
        self, autojump_clock: MockClock
    ) -> None:
        blocks = numbered(100)
        first = ScriptedPeer(1).hold(blocks).after(30, gone)
        second = ScriptedPeer(2).hold(blocks).after(30, gone)
        third = ScriptedPeer(3).hold(blocks)
        rig = Rig(first, second, third)
        rig.scripted.routing.knows(ROOT, first, second)
        async with rig.running(rig.make(blocks, first)) as fetch:
            done = 0
            while done < len(blocks):
                done += len(await fetch.take(done, 16))
                if second.asked:
                    rig.scripted.routing.knows(ROOT, third)
        assert third.asked

    async def test_many_connected_peers_that_hold_nothing_cost_little(self, autojump_clock: MockClock) -> None:
        blocks = numbered(500)
        idle = [ScriptedPeer(number) for number in range(10, 26)]
        holder = ScriptedPeer(1).hold(blocks)
        rig = Rig(holder, *idle)
        rig.scripted.connections.connect(*idle)
        await rig.read(blocks, holder)
        assert sum(len(peer.asked) for peer in idle) == 0

    async def test_connected_peers_are_asked_when_nobody_else_has_a_block(self, autojump_clock: MockClock) -> None:
        blocks = numbered(10)
        claims = ScriptedPeer(1)
        connected = ScriptedPeer(2).hold(blocks)
        rig = Rig(claims, connected)
        rig.scripted.connections.connect(connected)
        assert (await rig.read(blocks, claims)).providers == 1


class TestReader:
    async def test_only_what_is_missing_is_fetched(self, autojump_clock: MockClock) -> None:
        blocks = numbered(10)
        peer = ScriptedPeer(1).hold(blocks)
        rig = Rig(peer)
        async with rig.running(rig.make(blocks, peer, missing=[3, 4, 9])) as fetch:
            assert [index for index in range(10) if fetch.wants(index)] == [3, 4, 9]
            assert await fetch.take(3, 16) == [blocks[3].data, blocks[4].data]
            assert await fetch.take(9, 16) == [blocks[9].data]
        assert len(peer.asked) == 3

    async def test_no_more_is_taken_than_asked(self, autojump_clock: MockClock) -> None:
        blocks = numbered(10)
        peer = ScriptedPeer(1).hold(blocks)
        rig = Rig(peer)
        async with rig.running(rig.make(blocks, peer)) as fetch:
            await trio.sleep(1.0)
            assert len(await fetch.take(0, 3)) == 3
            assert len(await fetch.take(3, 16)) == 7

    async def test_a_reader_that_does_not_read_bounds_what_waits_for_it(self, autojump_clock: MockClock) -> None:
        blocks = numbered(1000)
        peers = [ScriptedPeer(number).hold(blocks) for number in (1, 2, 3)]
        rig = Rig(*peers, lookahead=20)
        async with rig.running(rig.make(blocks, *peers)) as fetch:
            await trio.sleep(600.0)
            assert fetch.ready == 20
            assert len(await fetch.take(0, 16)) == 16
            await trio.sleep(600.0)
            assert fetch.ready == 20

    async def test_what_waits_never_exceeds_the_lookahead(self, autojump_clock: MockClock) -> None:
        blocks = numbered(500)
        peers = [ScriptedPeer(number, latency_s=number / 100).hold(blocks) for number in (1, 2, 3)]
        rig = Rig(*peers, lookahead=24)
        most = 0
        async with rig.running(rig.make(blocks, *peers)) as fetch:
            done = 0
            while done < len(blocks):
                done += len(await fetch.take(done, 5))
                for _ in range(3):
                    await trio.sleep(0.01)
                    most = max(most, fetch.ready + sum(peer.in_flight for peer in peers))
        assert 0 < most <= 24

    async def test_big_blocks_keep_to_the_lookahead_in_bytes(self, autojump_clock: MockClock) -> None:
        blocks = [Block.of(bytes([number]) * 1024) for number in range(50)]
        peer = ScriptedPeer(1).hold(blocks)
        rig = Rig(peer, lookahead_bytes=1024 * 10)
        async with rig.running(rig.make(blocks, peer)) as fetch:
            await trio.sleep(10.0)
            assert fetch.ready == 10

    async def test_a_reader_that_is_slow_to_take_is_no_stall(self, autojump_clock: MockClock) -> None:
        blocks = numbered(200)
        peer = ScriptedPeer(1, latency_s=1.0).hold(blocks)
        rig = Rig(peer, lookahead=16)
        await rig.read(blocks, peer, pause_s=10 * STALL_S)

    async def test_a_stall_is_told_after_its_time(self, autojump_clock: MockClock) -> None:
        blocks = numbered(200)
        peer = ScriptedPeer(1).hold(blocks).after(20, stalling)
        rig = Rig(peer, max_failures=100)
        with pytest.raises(RequestTimeoutError, match=r"no progress for 60 s.*did not answer") as raised:
            await rig.read(blocks, peer)
        assert str(ROOT) in raised.value.message
        assert trio.current_time() == pytest.approx(STALL_S, abs=1.0)

    async def test_slow_progress_is_no_stall(self, autojump_clock: MockClock) -> None:
        blocks = numbered(10)
        peer = ScriptedPeer(1, latency_s=25.0).hold(blocks)
        await Rig(peer, max_in_flight=1).read(blocks, peer)
        assert trio.current_time() >= 250.0

    async def test_progress_elsewhere_in_the_file_is_progress(self, autojump_clock: MockClock) -> None:
        """The block the reader waits for is late, others come: it waits as long as they do."""
        blocks = numbered(40)
        first = ScriptedPeer(1, latency_s=29.0).hold(blocks[:1])
        others = ScriptedPeer(2, latency_s=20.0).hold(blocks[1:])
        await Rig(first, others, max_in_flight=8).read(blocks, first, others)

    async def test_a_take_that_was_cancelled_can_be_repeated(self, autojump_clock: MockClock) -> None:
        blocks = numbered(4)
        peer = ScriptedPeer(1, latency_s=10.0).hold(blocks)
        rig = Rig(peer)
        async with rig.running(rig.make(blocks, peer)) as fetch:
            with trio.move_on_after(1.0):
                await fetch.take(0, 16)
            await trio.sleep(3 * STALL_S)
            assert len(await fetch.take(0, 16)) == 4


async def test_a_full_store_ends_the_fetch_with_its_own_error(autojump_clock: MockClock) -> None:
    blocks = numbered(100)
    peer = ScriptedPeer(1).hold(blocks)
    rig = Rig(peer)
    rig.store.fault = StoreFullError("no space left")
    with pytest.raises(StoreFullError):
        await rig.read(blocks, peer)
    assert (await rig.store.stats()).blocks == 0


async def test_leaving_early_ends_every_request(autojump_clock: MockClock) -> None:
    blocks = numbered(1000)
    peer = ScriptedPeer(1, latency_s=1.0).hold(blocks)
    rig = Rig(peer)
    async with rig.running(rig.make(blocks, peer)) as fetch:
        await fetch.take(0, 1)
        assert peer.in_flight
    assert not peer.in_flight


async def test_a_fault_nobody_planned_for_is_not_swallowed(autojump_clock: MockClock) -> None:
    async def failing(cid: CID, held: bytes | None) -> bytes | None:
        raise ZeroDivisionError

    blocks = numbered(1)
    peer = ScriptedPeer(1, failing).hold(blocks)
    with pytest.raises(ZeroDivisionError):
        await Rig(peer).read(blocks, peer)


async def test_an_honest_peer_is_never_given_up_for_the_readers_pace(autojump_clock: MockClock) -> None:
    blocks = numbered(64)
    peer = ScriptedPeer(1, honest).hold(blocks)
    rig = Rig(peer, lookahead=1)
    await rig.read(blocks, peer, pause_s=100.0)
