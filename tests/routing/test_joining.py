"""Joining the network, alone in it, in several at once, and what the DHT says of itself."""

from __future__ import annotations

import pytest
import trio
from trio.abc import Clock

from chiral.errors import LocalError, UsageError
from chiral.interface.peer import PeerInfo
from chiral.interface.routing import Routing
from chiral.routing.settings import KadSettings
from tests.fakes.link import address
from tests.fakes.stream_node import peer_id
from tests.routing.net import KAD, LAN, DhtNode, closest, running

KEY = b"\x01\x55\x12\x20" + bytes(32)
MULTIHASH = KEY[2:]


async def test_joining_fills_the_table(autojump_clock: Clock) -> None:
    """Seed 003: joining fills the routing table from one known peer."""
    async with running() as net:
        await net.grow(40)
        late = await net.add()
        await late.kad.bootstrap([net.nodes[3].info])
        stats = await late.kad.stats()
        assert stats.table_size == len(late.table) >= 30
        assert sum(stats.bucket_counts) == stats.table_size
        assert len(stats.bucket_counts) == 256
        near = closest([node.peer for node in net.nodes[:-1]], late.peer.raw, 20)
        assert set(near) <= late.table


async def test_a_bootstrap_list_with_useless_entries(autojump_clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    async with running() as net:
        first = await net.add()
        node = await net.add()
        dead = PeerInfo(peer_id(77), (address(77),))
        wrong_id = PeerInfo(peer_id(78), first.node.listen_addrs())
        malformed = PeerInfo(peer_id(79), (b"garbage",))
        report = await node.kad.bootstrap([dead, wrong_id, malformed, first.info, node.info])
        assert report.connected == (first.info,)
        assert {info.peer for info, _ in report.failed} == {dead.peer, wrong_id.peer, malformed.peer}
        assert node.table == {first.peer}
        for info in (dead, wrong_id, malformed):
            assert str(info.peer) in caplog.text


async def test_a_bootstrap_peer_that_stalls_costs_a_deadline(autojump_clock: Clock) -> None:
    async with running() as net:
        first = await net.add()
        stalled = await net.add()
        net.swarm.stall(stalled.peer)
        node = await net.add()
        start = trio.current_time()
        await node.kad.bootstrap([stalled.info, first.info])
        assert trio.current_time() - start < 20
        assert first.peer in node.table


async def test_a_table_for_each_protocol(autojump_clock: Clock) -> None:
    both = KadSettings(protocols=(KAD, LAN))
    async with running() as net:
        wan = await net.add(KadSettings(protocols=(KAD,)))
        lan = await net.add(KadSettings(protocols=(LAN,)))
        node = await net.add(both)
        await node.kad.bootstrap([wan.info, lan.info])
        stats = await node.kad.stats()
        assert [(overlay.protocol, overlay.table_size) for overlay in stats.overlays] == [(KAD, 1), (LAN, 1)]
        assert stats.table_size == 2
        assert {entry.peer for entry in node.overlay(1).table} == {lan.peer}
        (result,) = await node.kad.provide([KEY])
        assert result.stored == 2
        for other in (wan, lan):
            assert await other.find([KEY]) == [node.info]
        await wan.kad.provide([MULTIHASH])
        await lan.kad.provide([MULTIHASH])
        assert {info.peer for info in await node.find([MULTIHASH])} == {wan.peer, lan.peer}
        assert {info.peer for info in await node.kad.closest_peers(KEY)} == {wan.peer, lan.peer}


async def test_a_node_alone(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        (result,) = await node.kad.provide([KEY])
        assert (result.asked, result.stored) == (0, 0)
        assert await node.find([KEY]) == []
        assert await node.kad.closest_peers(KEY) == []
        assert await node.kad.find_peer(peer_id(5)) is None
        assert (await node.kad.bootstrap([])).connected == ()
        stats = await node.kad.stats()
        assert (stats.own_announced, stats.own_pending, stats.queries_active) == (1, 1, 0)
        assert stats.queries_failed == 0, "nobody was asked"


@pytest.mark.parametrize("key", [b"", bytes(81)])
async def test_keys_of_a_wrong_size(autojump_clock: Clock, key: bytes) -> None:
    async with running() as net:
        (node,) = await net.grow(1)
        for call in (node.kad.provide([key]), node.find([KEY, key]), node.kad.closest_peers(key)):
            with pytest.raises(UsageError, match="1 to 80"):
                await call


async def test_searching_needs_a_running_dht(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(run=False)
        with pytest.raises(LocalError, match="not running"):
            await node.find([KEY])


async def test_it_is_a_routing(autojump_clock: Clock) -> None:
    async with running() as net:
        node: DhtNode = await net.add()
        routing: Routing = node.kad
        assert await routing.provide([]) == []
        await routing.stop_providing([KEY])


async def test_figures_of_queries_and_records(autojump_clock: Clock) -> None:
    async with running() as net:
        one, two, three = await net.grow(3)
        await one.kad.provide([KEY])
        await two.find([KEY])
        stats = await two.kad.stats()
        assert stats.provider_records == 1
        assert stats.queries_done >= 2
        assert stats.queries_active == stats.queries_failed == 0
        assert stats.last_refresh is not None
        assert (await one.kad.stats()).own_announced == 1
        assert (await three.kad.stats()).value_records == 0
