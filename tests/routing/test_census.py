"""The DHT's figures, and the listing of its routing tables."""

from __future__ import annotations

import trio
from trio.abc import Clock

from chiral.kad.key import KadKey
from chiral.routing.settings import KadSettings
from tests.routing.net import KAD, LAN, running

KEY = b"\x01\x55\x12\x20" + bytes(32)


async def test_every_peer_is_counted_in_the_bucket_of_its_distance(autojump_clock: Clock) -> None:
    """Seed 000: a routing table of 256 buckets, and how many peers each holds."""
    async with running() as net:
        nodes = await net.grow(30)
        stats = await nodes[0].kad.stats()
        expected = [0] * 256
        for peer in nodes[0].table:
            expected[KadKey.of(nodes[0].peer.raw).common_prefix_length(KadKey.of(peer.raw))] += 1
        (overlay,) = stats.overlays
        assert list(overlay.bucket_counts) == list(stats.bucket_counts) == expected
        assert stats.peers == stats.table_size == overlay.table_size == len(nodes[0].table) == sum(expected)


async def test_a_peer_in_two_tables_is_one_peer(autojump_clock: Clock) -> None:
    async with running() as net:
        both = KadSettings(protocols=(KAD, LAN))
        one, two = await net.add(both), await net.add(both)
        await two.kad.bootstrap([one.info])
        stats = await two.kad.stats()
        assert (stats.peers, stats.table_size, sum(stats.bucket_counts)) == (1, 2, 2)
        assert [entry.protocol for entry in two.kad.table()] == [KAD, LAN]


async def test_providers_known_are_what_searches_found(autojump_clock: Clock) -> None:
    async with running() as net:
        one, two, three = await net.grow(3)
        await one.kad.provide([KEY])
        assert (await three.kad.stats()).providers_known == 0
        await three.find([KEY])
        stats = await three.kad.stats()
        assert (stats.providers_known, stats.provider_records) == (1, 1)
        assert (await two.kad.stats()).providers_known == 0


async def test_the_mode(autojump_clock: Clock) -> None:
    async with running() as net:
        assert (await (await net.add()).kad.stats()).mode == "server"
        assert (await (await net.add(KadSettings(mode="client"))).kad.stats()).mode == "client"


async def test_the_table_lists_its_peers_farthest_bucket_first(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await net.grow(12)
        node = nodes[5]
        started = net.clock.wall()
        listed = node.kad.table()
        assert {entry.peer for entry in listed} == node.table
        assert [entry.bucket for entry in listed] == sorted(entry.bucket for entry in listed)
        for entry in listed:
            other = next(other for other in nodes if other.peer == entry.peer)
            point = KadKey.of(node.peer.raw)
            assert entry.bucket == point.common_prefix_length(KadKey.of(entry.peer.raw))
            assert (entry.protocol, entry.addrs) == (KAD, other.info.addrs)
            assert entry.connected == node.node.is_connected(entry.peer)
            assert 0 <= started - entry.seen_at <= started - entry.added_at < 60


async def test_of_a_peer_that_left_the_connection_is_not_told(autojump_clock: Clock) -> None:
    async with running() as net:
        one, two = await net.grow(2)
        await two.node.disconnect(one.peer)
        await trio.sleep(5)
        (entry,) = two.kad.table()
        assert (entry.connected, entry.agent, entry.latency_s) == (False, "", None)
        assert net.clock.wall() - entry.seen_at >= 5
