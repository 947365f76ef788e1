"""What becomes of routing tables over time: saved and revived, this node's mode, neighbours that change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.abc import Clock
from trio.testing import MockClock

from chiral.errors import StoreError, UnsupportedProtocolError
from chiral.interface.datastore import Datastore
from chiral.interface.peer import PeerInfo
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType
from chiral.kad.saved_peer import SavedPeer, key_of
from chiral.kad.table import DEFAULT_TRUST_S
from chiral.routing.saved_table import TABLE
from chiral.routing.settings import KadSettings
from chiral.routing.table_settings import DiversitySettings, TableSettings
from chiral.store.settings import StoreSettings
from chiral.store.store import open_store
from tests.fakes.link import address
from tests.fakes.memory_store import MemoryDatastore
from tests.fakes.stream_node import peer_id
from tests.routing.net import (
    HOUR_S,
    KAD,
    LAN,
    DhtNode,
    Net,
    Scripted,
    closest,
    exchange,
    find_node,
    holders,
    running,
    stranger,
)

KEY = b"a key"
NUMBER = 100


@asynccontextmanager
async def alive(
    net: Net, datastore: Datastore, settings: KadSettings | None = None, number: int = NUMBER
) -> AsyncIterator[DhtNode]:
    """A node that ends with the block as a process does: its DHT cleanly, then its connections."""
    node = await net.add(settings, number=number, datastore=datastore, run=False)
    async with trio.open_nursery() as nursery:
        await nursery.start(node.kad.run)
        yield node
        nursery.cancel_scope.cancel()
    node.node.close_all()
    net.nodes.remove(node)


async def test_a_node_restarted_without_bootstrap_list_rejoins_by_its_saved_table(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    autojump_clock.autojump_threshold = 0.2  # the store's threads are at work in real time, and the deadlines long
    async with running() as net:
        peers = {node.peer for node in await net.grow(6)}
        async with open_store(tmp_path, StoreSettings(durable=False)) as store, alive(net, store.state) as node:
            await node.kad.bootstrap([net.nodes[0].info])
            assert node.table == peers
        async with open_store(tmp_path, StoreSettings(durable=False)) as store, alive(net, store.state) as node:
            assert node.table == set()
            await node.kad.bootstrap([])
            assert node.table == peers
            (result,) = await node.kad.provide([KEY])
            assert result.stored == 6


async def test_a_dead_bootstrap_list_is_made_up_for_by_the_saved_table(autojump_clock: Clock) -> None:
    async with running() as net:
        first, *others = await net.grow(5)
        kept = MemoryDatastore()
        async with alive(net, kept) as node:
            await node.kad.bootstrap([first.info])
        net.swarm.kill(first.peer)
        async with alive(net, kept) as node:
            report = await node.kad.bootstrap([first.info])
            assert report.connected == ()
            assert node.table == {other.peer for other in others}


async def test_saved_peers_are_asked_before_they_count(autojump_clock: Clock) -> None:
    async with running() as net:
        living, dead, stalled, client = await net.grow(4)
        kept = MemoryDatastore()
        async with alive(net, kept) as node:
            await node.kad.bootstrap([living.info])
            assert len(node.table) == 4
        net.swarm.kill(dead.peer)
        net.swarm.stall(stalled.peer)
        client.node.unserve(KAD)
        async with alive(net, kept) as node:
            await node.kad.bootstrap([])
            await trio.sleep(60)
            assert node.table == {living.peer}


async def test_saved_peers_are_asked_some_at_once_those_seen_last_first(autojump_clock: Clock) -> None:
    async with running() as net:
        kept = MemoryDatastore()
        saved = [SavedPeer(peer_id(n), (address(n),), 1000 + n) for n in range(200, 240)]
        await kept.put_many(TABLE, {key_of(KAD, one.peer): one.encode() for one in saved})
        for n in range(200, 240):
            net.swarm.stall(net.fake(n).local_peer)
        settings = KadSettings(table=TableSettings(revivals=5, save_s=HOUR_S), request_timeout_s=10.0)
        async with alive(net, kept, settings) as node:
            await trio.sleep(5)
            assert {info.peer for info in node.node.connections()} == {peer_id(n) for n in range(235, 240)}
            assert node.table == set()
            await trio.sleep(10)
            assert {info.peer for info in node.node.connections()} == {peer_id(n) for n in range(230, 240)}


async def test_damaged_and_foreign_records_stop_nothing(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with running() as net:
        first, *_ = await net.grow(3)
        kept = MemoryDatastore()
        async with alive(net, kept) as node:
            await node.kad.bootstrap([first.info])
        good = SavedPeer(peer_id(NUMBER), (address(NUMBER),), 5)
        await kept.put_many(
            TABLE,
            {
                key_of(KAD, peer_id(70)): b"\xff",
                key_of(KAD, peer_id(NUMBER)): good.encode(),
                key_of(KAD, peer_id(71)): SavedPeer(peer_id(71), (), 5).encode(),
                key_of("/other/kad", peer_id(72)): b"",
                b"nothing of ours": b"",
            },
        )
        async with alive(net, kept) as node:
            await node.kad.bootstrap([])
            assert len(node.table) == 3
        assert sum("saved routing table" in line for line in caplog.messages) == 1


async def test_a_store_that_fails_stops_nothing(autojump_clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryDatastore):
        async def page(
            self, table: str, prefix: bytes = b"", after: bytes = b"", limit: int = 1000
        ) -> list[tuple[bytes, bytes]]:
            if table == TABLE:
                raise StoreError("disk gone")
            return await super().page(table, prefix, after, limit)

    async with running() as net:
        (first,) = await net.grow(1)
        async with alive(net, Broken()) as node:
            await node.kad.bootstrap([first.info])
            await trio.sleep(HOUR_S)
            assert node.table == {first.peer}
    assert "cannot be read: disk gone" in caplog.text
    assert "cannot be saved: disk gone" in caplog.text


async def test_the_table_is_saved_while_the_node_runs_so_that_a_crash_loses_little(autojump_clock: Clock) -> None:
    async with running() as net:
        first, second = await net.grow(2)
        kept = MemoryDatastore()
        node = await net.add(datastore=kept)
        await node.kad.bootstrap([first.info])
        await trio.sleep(400)
        assert {key for key, _ in await kept.page(TABLE)} == {key_of(KAD, other.peer) for other in (first, second)}


async def test_who_was_cut_off_keeps_what_it_had(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(4)
        kept = MemoryDatastore()
        everyone = {node.peer for node in net.nodes}
        async with alive(net, kept) as node:
            await node.kad.bootstrap([net.nodes[0].info])
            for peer in everyone:
                net.swarm.kill(peer)
            await trio.sleep(3 * HOUR_S)
            assert node.table == set()
        for peer in everyone:
            net.swarm.revive(peer)
        async with alive(net, kept) as node:
            await node.kad.bootstrap([])
            await trio.sleep(10)
            assert node.table == everyone


async def test_without_a_bootstrap_list_an_empty_table_goes_back_to_the_saved_peers(autojump_clock: Clock) -> None:
    async with running() as net:
        first = await net.add(run=False)
        kept = MemoryDatastore()
        async with alive(net, kept) as node:
            await node.kad.bootstrap([first.info])
        net.swarm.kill(first.peer)
        async with alive(net, kept) as node:
            await node.kad.bootstrap([])
            await trio.sleep(100)
            assert node.table == set()
            net.swarm.revive(first.peer)
            await trio.sleep(1000)
            assert node.table == {first.peer}


async def test_who_cannot_be_found_again_does_not_replace_what_was_saved(autojump_clock: Clock) -> None:
    async with running() as net:
        (first,) = await net.grow(1)
        kept = MemoryDatastore()
        async with alive(net, kept) as node:
            await node.kad.bootstrap([first.info])
            await trio.sleep(400)
            (before,) = await kept.page(TABLE)
            node.node.forget_addrs(first.peer)
        assert await kept.page(TABLE) == [before]


async def test_tables_of_two_protocols_are_revived_apart(autojump_clock: Clock) -> None:
    async with running() as net:
        wan = await net.add(KadSettings(protocols=(KAD,)))
        lan = await net.add(KadSettings(protocols=(LAN,)))
        both = KadSettings(protocols=(KAD, LAN))
        kept = MemoryDatastore()
        async with alive(net, kept, both) as node:
            await node.kad.bootstrap([wan.info, lan.info])
        async with alive(net, kept, both) as node:
            await node.kad.bootstrap([])
            await trio.sleep(20)
            assert [{entry.peer for entry in node.overlay(n).table} for n in (0, 1)] == [{wan.peer}, {lan.peer}]


async def test_a_saved_write_happens_only_when_something_changed(autojump_clock: Clock) -> None:
    writes: list[int] = []

    class Counting(MemoryDatastore):
        async def put_many(self, table: str, items: Mapping[bytes, bytes | None]) -> None:
            if table == TABLE:
                writes.append(len(items))
            await super().put_many(table, items)

    async with running() as net:
        (first,) = await net.grow(1)
        node = await net.add(datastore=Counting())
        await node.kad.bootstrap([first.info])
        await trio.sleep(6 * HOUR_S)
        assert 1 <= len(writes) <= 7
        assert set(writes) == {1}


# The mode.


async def test_a_client_answers_nothing_and_stands_in_nobodys_table(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(3)
        client = await net.add(KadSettings(mode="client"))
        await client.kad.bootstrap([net.nodes[0].info])
        await client.kad.provide([KEY])
        await trio.sleep(2 * HOUR_S)
        assert len(client.table) == 3
        assert all(client.peer not in node.table for node in net.nodes)
        strange = await stranger(net, client)
        with pytest.raises(UnsupportedProtocolError):
            await exchange(strange, client.peer, find_node(KEY))
        late = await net.add()
        await late.kad.bootstrap([client.info])
        assert late.table == set()


async def test_a_node_without_an_address_is_a_client_by_itself(autojump_clock: Clock) -> None:
    async with running() as net:
        (first,) = await net.grow(1)
        node = await net.add(listens=False)
        fixed = await net.add(KadSettings(mode="server"), listens=False)
        for other in (node, fixed):
            await other.kad.bootstrap([first.info])
        assert not node.kad.serving.active
        assert first.table == {fixed.peer}


async def test_found_unreachable_a_server_becomes_a_client_and_its_peers_hear_of_it(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "chiral.routing")
    async with running(latency_s=0.05) as net:
        one, two = await net.grow(2)
        strange = await stranger(net, two)
        assert one.table == {two.peer}
        two.kad.serving.found("unreachable")
        await trio.sleep(1)
        assert one.table == set()
        assert two.table == {one.peer}
        with pytest.raises(UnsupportedProtocolError):
            await exchange(strange, two.peer, find_node(KEY))
        two.kad.serving.found("reachable")
        await trio.sleep(1)
        assert one.table == {two.peer}
        assert two.kad.serving.reachability == "reachable"
        assert await exchange(strange, two.peer, find_node(KEY)) is not None
    assert [line for line in caplog.messages if "of the DHT now" in line] == [
        "this node is a client of the DHT now",
        "this node is a server of the DHT now",
    ]


async def test_a_fixed_mode_does_not_care_what_is_found(autojump_clock: Clock) -> None:
    async with running() as net:
        server, client = await net.add(KadSettings(mode="server")), await net.add(KadSettings(mode="client"))
        server.kad.serving.found("unreachable")
        client.kad.serving.found("reachable")
        assert (server.kad.serving.active, client.kad.serving.active) == (True, False)


async def test_a_spare_that_became_a_client_does_not_move_up(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(KadSettings(k=1))
        overlay = node.overlay()
        far = [peer for peer in map(peer_id, range(1000, 1100)) if overlay.table.bucket_index(KadKey.of(peer.raw)) == 0]
        held, spare = far[:2]
        overlay.identified(held, frozenset({KAD}))
        overlay.identified(spare, frozenset({KAD}))
        overlay.identified(spare, frozenset({"/other"}))
        overlay.evict(held)
        assert node.table == set()


# Who is let in.


async def test_no_more_of_one_network_are_let_in_than_configured(autojump_clock: Clock) -> None:
    strict = KadSettings(diversity=DiversitySettings(per_bucket=2, per_table=3, exempt_private=False))
    async with running() as net:
        node = await net.add(strict)
        others = [await net.add() for _ in range(12)]
        for other in others:
            await other.kad.bootstrap([node.info])
        assert len(node.table) == 3
        assert max(node.overlay().table.counts()) <= 2
        elsewhere = await net.add(number=3 << 8)
        await elsewhere.kad.bootstrap([node.info])
        assert elsewhere.peer in node.table
        assert len(others[0].table) == 13


async def test_where_a_peer_is_said_to_be_does_not_count_against_it(autojump_clock: Clock) -> None:
    strict = KadSettings(diversity=DiversitySettings(per_bucket=1, per_table=1, exempt_private=False))
    async with running() as net:
        node = await net.add(strict)
        holder, honest = await net.add(number=5), await net.add(number=9 << 8)
        await holder.kad.bootstrap([node.info])
        node.node.add_addrs(honest.peer, [address(6)], ttl_s=1000.0)
        await honest.kad.bootstrap([node.info])
        assert node.table == {holder.peer, honest.peer}


# Neighbours.


async def test_records_are_announced_again_when_the_neighbours_have_become_others(autojump_clock: Clock) -> None:
    small = KadSettings(k=4)
    async with running() as net:
        await net.grow(5, small)
        provider = net.nodes[0]
        await trio.sleep(60)
        await provider.kad.provide([KEY])
        late = [await net.add(small) for _ in range(20)]
        for node in late:
            await node.kad.bootstrap([provider.info])
        others = [node.peer for node in net.nodes if node is not provider]
        assert not set(closest(others, KEY, 4)) <= await holders(net, KEY, provider.peer)
        await trio.sleep(HOUR_S / 4)
        assert set(closest(others, KEY, 4)) <= await holders(net, KEY, provider.peer)


async def test_the_addresses_of_a_peer_are_kept_for_as_long_as_it_is_connected(autojump_clock: Clock) -> None:
    short = KadSettings(table_addr_ttl_s=2 * HOUR_S)
    async with running() as net:
        first, second = [await net.add(short) for _ in range(2)]
        await second.kad.bootstrap([first.info])
        await trio.sleep(5 * HOUR_S)
        assert first.node.is_connected(second.peer)
        assert first.node.addrs_of(second.peer) == second.node.listen_addrs()


async def test_everybody_silent_is_asked_within_the_interval(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add()
        for number in range(1000, 1200):
            strange = net.fake(number)
            strange.serve(KAD, Scripted(Message(MessageType.FIND_NODE)))
            await strange.connect(node.info)
        await trio.sleep(4.1 * HOUR_S)
        held = list(node.overlay().table)
        assert len(held) > 80
        assert max(net.clock.monotonic() - entry.seen_at for entry in held) <= 1.26 * HOUR_S


async def test_a_spare_that_died_meanwhile_makes_room_for_one_that_lives(autojump_clock: Clock) -> None:
    async with running() as net:
        node = await net.add(KadSettings(k=2))
        overlay = node.overlay()
        far = [n for n in range(1000, 1100) if overlay.table.bucket_index(KadKey.of(peer_id(n).raw)) == 0]
        living, *dead = [await net.add(number=number) for number in far[:4]]
        for peer in dead[:2]:
            overlay.observe(peer.peer)
        await living.node.connect(node.info)
        await trio.sleep(1)
        overlay.observe(dead[2].peer)
        for peer in dead:
            net.swarm.kill(peer.peer)
        assert node.table == {dead[0].peer, dead[1].peer}
        await trio.sleep(DEFAULT_TRUST_S + 10)
        overlay.evict(dead[0].peer)
        assert node.table == {dead[1].peer, dead[2].peer}
        await trio.sleep(30)
        assert node.table == {dead[1].peer, living.peer}


async def test_addresses_of_the_table_outlast_those_who_were_only_heard_of(autojump_clock: Clock) -> None:
    async with running() as net:
        first, second = await net.grow(2)
        third = PeerInfo(peer_id(77), (address(77),))
        first.overlay().remember(third)
        await trio.sleep(3 * HOUR_S)
        assert first.node.addrs_of(third.peer) == ()
        assert first.node.addrs_of(second.peer) == second.node.listen_addrs()
