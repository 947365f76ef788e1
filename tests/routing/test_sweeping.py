"""Sweeps: what ten thousand keys cost, in messages that are counted, and that new keys go before old ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection

import pytest
import trio
from trio.abc import Clock

from chiral.errors import StoreError
from chiral.interface.peer import PeerId
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType
from chiral.kad.schedule import Schedule
from chiral.routing.announce_stats import AnnounceStats, Lag
from chiral.routing.client import KadClient
from chiral.routing.own_keys import TABLE
from chiral.routing.settings import KadSettings
from tests.fakes.memory_store import MemoryDatastore
from tests.fakes.records import MemoryProviderStore
from tests.routing.net import HOUR_S, DhtNode, closest, find_node, holders, running

KEYS = [b"key %d" % number for number in range(10_000)]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Counter[MessageType]:
    """Requests that any node has made since."""
    made: Counter[MessageType] = Counter()
    request = KadClient.request

    async def counted(self: KadClient, peer: PeerId, message: Message) -> Message:
        made[message.type] += 1
        return await request(self, peer, message)

    monkeypatch.setattr(KadClient, "request", counted)
    return made


def announcing(node: DhtNode) -> AnnounceStats:
    return node.kad._announcer.stats()


async def each(*batches: Collection[bytes]) -> AsyncIterator[Collection[bytes]]:
    for batch in batches:
        yield batch


async def test_ten_thousand_keys_in_a_small_swarm_take_a_hundredth_of_the_lookups(
    autojump_clock: Clock, requests: Counter[MessageType], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: Counter[PeerId] = Counter()

    async def send(self: KadClient, peer: PeerId, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        told[peer] += data.count(b"key ")

    async with running() as net:
        await net.grow(25)
        provider = net.nodes[7]
        requests.clear()
        for key in KEYS[:5]:
            await provider.kad._queries[0].seek(find_node(key), paths=1)
        one_by_one = requests[MessageType.FIND_NODE] / 5
        assert one_by_one >= 20
        requests.clear()
        monkeypatch.setattr(KadClient, "send", send)
        results = await provider.kad.provide(KEYS)
        assert requests[MessageType.FIND_NODE] / len(KEYS) < one_by_one / 1000
        assert all((result.asked, result.stored) == (20, 20) for result in results)
        assert len(told) == 24
        assert told.total() == 20 * len(KEYS)
        # Behind and in sweeps, of which the last is of one stretch of the ring alone, it is no more.
        requests.clear()
        await provider.kad.schedule([b"behind, " + key for key in KEYS])
        await trio.sleep(0.5)
        assert announcing(provider).announced == 2 * len(KEYS)
        assert requests[MessageType.FIND_NODE] / len(KEYS) < one_by_one / 1000
        assert told.total() == 40 * len(KEYS)


async def test_many_keys_stand_on_their_true_closest_and_nowhere_else(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(25)
        provider, others = net.nodes[7], [node.peer for node in net.nodes if node is not net.nodes[7]]
        await provider.kad.provide(KEYS[:500])
        assert sum([await node.providers.count() for node in net.nodes]) == 20 * 500
        for key in KEYS[:500:25]:
            assert await holders(net, key, provider.peer) == set(closest(others, key, 20))


async def test_scheduled_keys_are_announced_behind_in_ring_order_and_new_ones_first(autojump_clock: Clock) -> None:
    async with running(latency_s=0.05) as net:
        await net.grow(6)
        provider = net.nodes[2]
        await provider.kad.provide_only(each(KEYS[:300], KEYS[300:600]))
        await trio.sleep(30)
        stats = announcing(provider)
        assert (stats.keys, stats.pending, stats.due, stats.announced) == (600, 0, 0, 600)
        assert stats.keys_per_s > 0
        assert stats.last_sweep_s is not None
        assert len(await holders(net, KEYS[599], provider.peer)) == 5


async def test_load_is_spread_over_the_interval_after_an_add(
    autojump_clock: Clock, requests: Counter[MessageType]
) -> None:
    async with running() as net:
        provider, other = await net.grow(2)
        await provider.kad.provide(KEYS[:3200])
        start = net.clock.wall()
        await trio.sleep(12.4 * HOUR_S)
        times = Counter[int]()
        for key in KEYS[:3200]:
            (record,) = await other.providers.get(key, net.clock.wall())
            assert record.received_at > start + 100
            times[int((record.received_at - start) // (1.5 * HOUR_S))] += 1
        assert len(times) >= 8
        assert max(times.values()) < 3200 / 4


async def test_a_sweep_gives_way_to_what_somebody_waits_for(autojump_clock: Clock) -> None:
    async with running(latency_s=1.0) as net:
        provider, other = await net.grow(2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.kad.provide, [b"urgent"])
            await trio.sleep(0.5)
            await provider.kad.schedule(KEYS[:10])
        (urgent,) = await other.providers.get(b"urgent", net.clock.wall())
        await trio.sleep(20)
        (behind,) = await other.providers.get(KEYS[0], net.clock.wall())
        assert urgent.received_at < behind.received_at


async def test_a_start_goes_on_where_the_last_run_ended(autojump_clock: Clock, requests: Counter[MessageType]) -> None:
    datastore = MemoryDatastore()
    async with running() as net:
        other = await net.add()
        async with trio.open_nursery() as nursery:
            first = await net.add(number=7, datastore=datastore, run=False)
            await nursery.start(first.kad.run)
            await first.kad.bootstrap([other.info])
            await first.kad.provide(KEYS[:500], by_hand=False)
            await first.kad.provide([b"by hand"])
            nursery.cancel_scope.cancel()
        net.swarm.kill(first.peer)
        await trio.sleep(3 * HOUR_S)
        second = await net.add(number=8, datastore=datastore)
        schedule = Schedule.of_node(12 * HOUR_S, second.peer)
        dropped = await second.kad.provide_only(each(KEYS[:400], KEYS[500:510]))
        await second.kad.bootstrap([other.info])
        assert dropped == 100
        now = net.clock.wall()
        turns = {key: schedule.next_turn(KadKey.of(key).value >> 192, now - 3 * HOUR_S) for key in KEYS[:400]}
        await trio.sleep(60)
        stats = announcing(second)
        assert stats.keys == 411
        missed = sum(turn <= now + 60 for turn in turns.values())
        assert 0 < missed < 200
        assert missed + 10 <= stats.announced <= missed + 11
        assert await holders(net, KEYS[505], second.peer) == {other.peer}
        for key, turn in turns.items():
            if turn > now + 60:
                assert await holders(net, key, second.peer) == set()


async def test_other_peers_around_a_key_have_it_announced_again(autojump_clock: Clock) -> None:
    async with running() as net:
        provider, other = await net.grow(2)
        await provider.kad.provide(KEYS[:100])
        around = KadKey.of(KEYS[5])
        near = [key for key in KEYS[:100] if around.common_prefix_length(KadKey.of(key)) >= 2]
        before = net.clock.wall()
        await trio.sleep(10)
        provider.kad._announcer.neighbourhood_changed(around, 2)
        await trio.sleep(10)
        renewed = set()
        for key in KEYS[:100]:
            (record,) = await other.providers.get(key, net.clock.wall())
            if record.received_at > before + 5:
                renewed.add(key)
        assert renewed == set(near)
        assert 0 < len(near) < 100


async def test_what_nobody_takes_is_tried_ever_more_rarely(autojump_clock: Clock) -> None:
    async with running() as net:
        (provider,) = await net.grow(1)
        full = await net.add(providers=MemoryProviderStore(total=0))
        await full.kad.bootstrap([provider.info])
        await provider.kad.provide([KEYS[0]])
        await trio.sleep(HOUR_S)
        assert 5 <= announcing(provider).announced <= 15
        assert announcing(provider).pending == 1


class FailingDatastore(MemoryDatastore):
    """Refuses to read or write while told to."""

    failing = True

    async def put_many(self, table: str, items: object) -> None:
        if self.failing:
            raise StoreError("disk full")
        await super().put_many(table, items)  # type: ignore[arg-type]

    async def page(
        self, table: str, prefix: bytes = b"", after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        if self.failing:
            raise StoreError("disk gone")
        return await super().page(table, prefix, after, limit)


async def test_a_store_that_fails_does_not_keep_keys_from_being_announced(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    datastore = FailingDatastore()
    async with running() as net:
        other = await net.add()
        provider = await net.add(datastore=datastore)
        await provider.kad.bootstrap([other.info])
        (result,) = await provider.kad.provide([b"key"])
        assert result.stored == 1
        assert "disk full" in caplog.text
        await trio.sleep(13 * HOUR_S)
        assert "cannot be read" in caplog.text
        datastore.failing = False
        await provider.kad.provide([b"other"])
        await trio.sleep(26 * HOUR_S)
        assert await holders(net, b"other", provider.peer) == {other.peer}


async def test_falling_behind_is_told_once_with_what_to_do_and_so_is_catching_up(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chiral.routing.announcer._SWEEP_KEYS", 1)
    caplog.set_level("INFO", "chiral.routing.announcer")
    async with running(latency_s=1.0) as net:
        slow, _ = await net.grow(2, KadSettings(republish_s=600.0))
        await slow.kad.schedule(KEYS[:60])
        await trio.sleep(30)
        assert "cannot keep up" not in caplog.text
        await trio.sleep(100)
        stats = announcing(slow)
        assert stats.sweeping
        assert stats.behind_s > 100
        assert stats.due > 0
        assert not stats.keeping_up
        await trio.sleep(900)
        assert announcing(slow).keeping_up
    assert caplog.text.count("cannot keep up") == 1
    assert 'announce = "roots"' in caplog.text
    assert caplog.text.count("caught up") == 1


def test_lag_is_told_when_it_begins_and_when_it_ends() -> None:
    lag = Lag(2400.0)
    assert [lag.update(behind, now) for behind, now in ((0.0, 0.0), (399.0, 1.0))] == [False, False]
    assert lag.update(401.0, 2.0)
    assert not lag.keeping_up
    assert not lag.update(5000.0, 3.0)
    assert not lag.update(101.0, 500.0)
    assert lag.update(99.0, 600.0)
    assert lag.keeping_up
    # A state that flickers is not told each time.
    assert [lag.update(behind, 601.0) for behind in (500.0, 0.0, 500.0)] == [False, False, False]


async def test_a_node_that_ends_in_the_middle_of_a_sweep_remembers_how_far_it_came(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    datastore = MemoryDatastore()
    send = KadClient.send
    async with running() as net:
        others = await net.grow(3)

        async def halting(self: KadClient, peer: PeerId, data: bytes) -> None:
            if peer == others[0].peer:
                await trio.sleep_forever()
            await send(self, peer, data)

        monkeypatch.setattr(KadClient, "send", halting)
        async with trio.open_nursery() as nursery:
            provider = await net.add(number=7, datastore=datastore, run=False)
            await nursery.start(provider.kad.run)
            await provider.kad.bootstrap([others[1].info])
            await provider.kad.schedule(KEYS[:50])
            await trio.sleep(5)
            assert announcing(provider).sweeping
            nursery.cancel_scope.cancel()
        rows = await datastore.page(TABLE)
        assert len(rows) == 50
        assert {int.from_bytes(value[8:10], "big") for _, value in rows} == {2}
