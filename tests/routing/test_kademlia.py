"""Whole swarms: provide, find, closest, replication, churn."""

from __future__ import annotations

import trio
from trio.abc import Clock

from chiral.routing.settings import KadSettings
from tests.fakes.stream_node import peer_id
from tests.routing.net import closest, holders, running

KEY = b"\x01\x55\x12\x20" + bytes(32)
MULTIHASH = KEY[2:]


async def test_provide_and_find(autojump_clock: Clock) -> None:
    """Seed 002: of three nodes one provides a key, and both others find it."""
    async with running() as net:
        one, two, three = await net.grow(3)
        (result,) = await one.kad.provide([KEY])
        assert (result.key, result.asked, result.stored) == (KEY, 2, 2)
        for finder in (two, three):
            assert await finder.find([KEY]) == [one.info]


async def test_bootstrap(autojump_clock: Clock) -> None:
    """Seed 002: five nodes that know a bootstrap node alone all discover each other."""
    async with running() as net:
        first = await net.add()
        others = []
        for _ in range(5):
            node = await net.add()
            report = await node.kad.bootstrap([first.info])
            assert report.connected == (first.info,)
            assert report.failed == ()
            others.append(node)
        await trio.sleep(1)
        for node in net.nodes:
            assert node.table == {other.peer for other in net.nodes} - {node.peer}


async def test_peer_discovery(autojump_clock: Clock) -> None:
    """Seed 002: each of ten nodes finds the closest to a key in XOR order."""
    async with running() as net:
        await net.grow(10)
        everybody = [node.peer for node in net.nodes]
        for number, node in enumerate(net.nodes):
            key = b"random key %d" % number
            found = [info.peer for info in await node.kad.closest_peers(key)]
            assert found == closest([peer for peer in everybody if peer != node.peer], key, 20)
            assert all(info.addrs for info in await node.kad.closest_peers(key))


async def test_replication(autojump_clock: Clock) -> None:
    """Seed 002: of 25 nodes 20 hold the record of a key that one provides."""
    async with running() as net:
        await net.grow(25)
        provider = net.nodes[7]
        (result,) = await provider.kad.provide([KEY])
        assert (result.asked, result.stored) == (20, 20)
        others = [node.peer for node in net.nodes if node is not provider]
        assert await holders(net, KEY, provider.peer) == set(closest(others, KEY, 20))
        # The provider itself answers for its own key too, so the 20 closest of all 25 hold it in any case.
        assert await net.nodes[0].find([KEY]) == [provider.info]


async def test_a_stores_and_c_finds_through_b(autojump_clock: Clock) -> None:
    """Seed 003: node A stores, node C finds it through node B."""
    async with running() as net:
        b = await net.add()
        a, c = await net.grow(2)
        net.swarm.kill(a.peer)
        net.swarm.revive(a.peer)
        a.node.forget_addrs(c.peer)
        c.node.forget_addrs(a.peer)
        await a.kad.provide([KEY])
        assert await holders(net, KEY, a.peer) >= {b.peer}
        assert await c.find([KEY]) == [a.info]
        assert c.node.addrs_of(a.peer) == a.node.listen_addrs()


async def test_fifty_nodes_all_find_all_providers(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(50)
        providers = net.nodes[::10]
        for node in providers:
            await node.kad.provide([KEY])
        for node in net.nodes[1::7]:
            found = await node.find([KEY], timeout_s=10)
            assert {info.peer for info in found} == {provider.peer for provider in providers}


async def test_find_peer(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(12)
        one, two = net.nodes[3], net.nodes[9]
        await one.node.disconnect(two.peer)
        one.node.forget_addrs(two.peer)
        assert await one.kad.find_peer(two.peer) == two.info
        assert await one.kad.find_peer(one.peer) == one.info
        assert await one.kad.find_peer(net.nodes[0].peer) == net.nodes[0].info
        assert await one.kad.find_peer(peer_id(999)) is None


async def test_find_peer_finds_one_that_serves_no_dht(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(3)
        client = await net.add(KadSettings(mode="client"))
        await client.kad.bootstrap([net.nodes[0].info])
        assert client.peer not in net.nodes[0].table
        assert await net.nodes[2].kad.find_peer(client.peer) == client.info


async def test_a_client_provides_and_finds_and_is_in_no_table(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(5)
        client = await net.add(KadSettings(mode="client"))
        await client.kad.bootstrap([net.nodes[0].info])
        await trio.sleep(1)
        assert all(client.peer not in node.table for node in net.nodes)
        await client.kad.provide([KEY])
        assert await net.nodes[4].find([KEY]) == [client.info]
        await net.nodes[2].kad.provide([MULTIHASH])
        assert await client.find([MULTIHASH]) == [net.nodes[2].info]


async def test_a_third_killed_still_finds_and_drops_the_dead(autojump_clock: Clock) -> None:
    async with running(latency_s=0.005) as net:
        await net.grow(30)
        await net.nodes[0].kad.provide([KEY])
        dead = net.nodes[5:15]
        for node in dead:
            net.swarm.kill(node.peer)
        seeker = net.nodes[29]
        start = trio.current_time()
        assert await seeker.find([KEY], count=1) == [net.nodes[0].info]
        assert trio.current_time() - start < 2.0
        for _ in range(3):
            await trio.sleep(5)
            found = await seeker.kad.closest_peers(KEY)
        live = [node.peer for node in net.nodes if node not in dead and node is not seeker]
        assert [info.peer for info in found] == closest(live, KEY, 20)
        assert not seeker.table & {node.peer for node in dead}


async def test_a_peer_that_only_disconnects_stays_in_the_table(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(3)
        for node in net.nodes:
            node.node.closes_idle = True
        for node in net.nodes:
            node.node.close_all()
        await trio.sleep(60)
        assert all(len(node.table) == 2 for node in net.nodes)
        await net.nodes[1].kad.provide([KEY])
        assert await net.nodes[2].find([KEY]) == [net.nodes[1].info]
        assert not any(node.node.connections() for node in net.nodes)
