"""What goes on behind: refresh, ping before eviction, rejoining, sweeping."""

from __future__ import annotations

import pytest
import trio
from trio.abc import Clock

from chiral.errors import StoreError
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType
from chiral.kad.table import DEFAULT_TRUST_S
from chiral.routing.settings import KadSettings
from tests.fakes.records import MemoryProviderStore
from tests.fakes.stream_node import peer_id
from tests.routing.net import HOUR_S, KAD, DhtNode, Net, Scripted, running

KEY = b"a key"


async def test_untouched_buckets_are_refreshed_every_hour(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(8)
        node = net.nodes[3]
        table = node.overlay().table
        joined = net.clock.monotonic()
        await trio.sleep(3 * HOUR_S)
        for index in range(table.deepest + 1):
            touched = table.touched_at(index)
            assert touched is not None
            assert joined + 1.5 * HOUR_S < touched
        last = (await node.kad.stats()).last_refresh
        assert last is not None
        assert net.clock.wall() - last < HOUR_S


async def test_refresh_finds_peers_that_joined_meanwhile(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(4)
        first, last = net.nodes[0], net.nodes[3]
        late = await net.add()
        await late.kad.bootstrap([first.info])
        for node in net.nodes[1:4]:
            node.overlay().table.drop(late.peer, 0.0)
            node.node.forget_addrs(late.peer)
        await trio.sleep(2 * HOUR_S)
        assert late.peer in last.table


async def test_silent_peers_are_asked_after_and_the_dead_dropped(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(4)
        node, dead = net.nodes[0], net.nodes[2]
        net.swarm.kill(dead.peer)
        await trio.sleep(2 * HOUR_S)
        assert dead.peer not in node.table
        net.swarm.revive(dead.peer)
        await dead.kad.bootstrap([node.info])
        assert dead.peer in node.table


def far_numbers(node: DhtNode, count: int) -> list[int]:
    """Numbers of peers that fall into the farthest bucket of `node`."""
    key = node.overlay().table.local_key
    return [n for n in range(1000, 2000) if key.common_prefix_length(KadKey.of(peer_id(n).raw)) == 0][:count]


async def full_bucket(net: Net) -> tuple[DhtNode, list[Scripted]]:
    """A node of k = 3 whose farthest bucket is full, and the handlers of the three peers in it, oldest first."""
    node = await net.add(KadSettings(k=3))
    handlers = []
    for number in far_numbers(node, 3):
        strange = net.fake(number)
        handler = Scripted(Message(MessageType.FIND_NODE))
        strange.serve(KAD, handler)
        await strange.connect(node.info)
        await trio.sleep(DEFAULT_TRUST_S / 3 + 10)
        handlers.append(handler)
    assert node.overlay().table.counts()[0] == 3
    return node, handlers


async def newcomer(net: Net, node: DhtNode) -> int:
    number = far_numbers(node, 4)[3]
    strange = net.fake(number)
    strange.serve(KAD, Scripted(Message(MessageType.FIND_NODE)))
    await strange.connect(node.info)
    await trio.sleep(20)
    return number


async def test_the_oldest_is_asked_before_it_is_evicted_and_stays_if_it_answers(autojump_clock: Clock) -> None:
    async with running() as net:
        node, handlers = await full_bucket(net)
        oldest = next(iter(node.overlay().table)).peer
        number = await newcomer(net, node)
        assert len(handlers[0].requests) == 1
        assert not handlers[1].requests
        assert oldest in node.table
        assert peer_id(number) not in node.table
        assert [entry.peer for entry in node.overlay().table][-1] == oldest


@pytest.mark.parametrize("fault", ["kill", "stall"])
async def test_the_oldest_that_does_not_answer_makes_room(autojump_clock: Clock, fault: str) -> None:
    async with running() as net:
        node, _ = await full_bucket(net)
        oldest = next(iter(node.overlay().table)).peer
        getattr(net.swarm, fault)(oldest)
        number = await newcomer(net, node)
        assert oldest not in node.table
        assert peer_id(number) in node.table


async def test_an_empty_table_goes_back_to_the_bootstrap_peers(autojump_clock: Clock) -> None:
    async with running() as net:
        first = await net.add()
        net.swarm.kill(first.peer)
        node = await net.add()
        await node.kad.bootstrap([first.info])
        await node.kad.provide([KEY])
        await trio.sleep(100)
        assert node.table == set()
        net.swarm.revive(first.peer)
        await trio.sleep(400)
        assert node.table == {first.peer}
        assert await first.providers.count() == 1


async def test_expired_records_are_swept_and_a_failing_store_does_not_end_that(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    class FailsOnce(MemoryProviderStore):
        faults = 1

        async def sweep(self, now: float, limit: int = 10_000) -> int:
            if self.faults:
                self.faults -= 1
                raise StoreError("disk gone")
            return await super().sweep(now, limit)

    async with running() as net:
        keeper = await net.add(providers=FailsOnce())
        (provider,) = await net.grow(1)
        await provider.kad.provide([KEY])
        await provider.kad.stop_providing([KEY])
        assert await keeper.providers.count() == 1
        await trio.sleep(25 * HOUR_S)
        assert await keeper.providers.count() == 0
        assert "disk gone" in caplog.text


async def test_an_idle_network_sends_little(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(12)
        before = [node.node.sent_bytes.total() for node in net.nodes]
        await trio.sleep(4 * HOUR_S)
        for node, sent in zip(net.nodes, before, strict=True):
            assert 0 < (node.node.sent_bytes.total() - sent) / (4 * HOUR_S) < 1000


async def test_no_task_outlives_the_dht(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(5)
        node = await net.add(run=False)
        async with trio.open_nursery() as nursery:
            await nursery.start(node.kad.run)
            await node.kad.bootstrap([net.nodes[0].info])
            await node.kad.provide([KEY])
            await trio.sleep(3 * HOUR_S)
            nursery.cancel_scope.cancel()
        assert node.node.open_streams() == 0


async def test_more_doubts_than_can_be_asked_at_once_are_let_go(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(KadSettings(k=1), run=False)
        overlay = node.overlay()
        numbers = iter(range(1000, 100_000))
        asked = 0
        while asked < 100:
            await trio.sleep(200)
            before = overlay.doubts.statistics().current_buffer_used
            for _ in range(50):
                overlay.observe(peer_id(next(numbers)))
            asked += 1
            assert before <= overlay.doubts.statistics().current_buffer_used <= 64
        assert overlay.doubts.statistics().current_buffer_used == 64
