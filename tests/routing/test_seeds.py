"""The DHT tests that seed 000 names, over a swarm in memory; those of seed 002 stand in `test_kademlia`."""

from __future__ import annotations

from contextlib import aclosing

import trio
from trio.abc import Clock

from chiral.kad.key import KadKey
from chiral.routing.settings import KadSettings
from tests.routing.net import closest, holders, running

KEY = b"\x01\x55\x12\x20" + bytes(range(32))


async def test_kademlia_routing(autojump_clock: Clock) -> None:
    """Seed 000: peers stand in the bucket of their distance, at most 20 each, and the closest come in its order."""
    async with running() as net:
        nodes = await net.grow(40)
        for node in (nodes[0], nodes[21], nodes[39]):
            table = node.overlay().table
            assert max(table.counts()) <= 20
            local = KadKey.of(node.peer.raw)
            for entry in node.kad.table():
                assert entry.bucket == local.common_prefix_length(KadKey.of(entry.peer.raw))
            known = [entry.peer for entry in node.kad.table()]
            assert table.closest(KadKey.of(KEY), 20) == closest(known, KEY, 20)


async def test_provide_content(autojump_clock: Clock) -> None:
    """Seed 000: what is announced is on the peers closest to its key, until it is provided no longer and expires."""
    async with running() as net:
        provider, *others = await net.grow(8, KadSettings(provider_ttl_s=60, republish_s=30))
        (result,) = await provider.kad.provide([KEY])
        assert (result.asked, result.stored) == (7, 7)
        assert await holders(net, KEY, provider.peer) == {node.peer for node in others}
        await provider.kad.stop_providing([KEY])
        assert (await provider.kad.stats()).own_announced == 0
        await trio.sleep(61)
        assert await holders(net, KEY, provider.peer) == set()


async def test_find_providers(autojump_clock: Clock) -> None:
    """Seed 000: as many providers as are wanted, as they are found."""
    async with running() as net:
        nodes = await net.grow(30)
        providers = {node.peer for node in nodes[:6]}
        for node in nodes[:6]:
            await node.kad.provide([KEY])
        for count in (1, 3, 100):
            async with aclosing(nodes[29].kad.find_providers([KEY], count, 10.0)) as search:
                found = [info.peer async for info in search]
            assert len(found) == len(set(found)) == min(count, 6)
            assert set(found) <= providers


async def test_bootstrap(autojump_clock: Clock) -> None:
    """Seed 000: a node that knows one other comes to know the network."""
    async with running() as net:
        nodes = await net.grow(15)
        late = await net.add()
        report = await late.kad.bootstrap([nodes[0].info])
        assert report.connected == (nodes[0].info,)
        assert late.table == {node.peer for node in nodes}


async def test_dht_replication(autojump_clock: Clock) -> None:
    """Seed 000: of 50 nodes the 20 closest to the key hold the record.

    The seed asks for 20 providers, which one providing node cannot have; what it means is 20 replicas of the record.
    """
    async with running() as net:
        nodes = await net.grow(50)
        (result,) = await nodes[0].kad.provide([KEY])
        others = [node.peer for node in nodes[1:]]
        assert result.stored == 20
        assert await holders(net, KEY, nodes[0].peer) == set(closest(others, KEY, 20))
        assert [info.peer for info in await nodes[25].find([KEY])] == [nodes[0].peer]
