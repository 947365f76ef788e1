"""Searching for providers: what is reported, when, and how a search ends."""

from __future__ import annotations

from contextlib import aclosing

import pytest
import trio
from trio.abc import Clock

from chiral.errors import StoreError
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.providers import ProviderRecord
from chiral.kad.messages import Message, MessageType, PeerEntry
from chiral.routing.provider_search import ProviderSearch
from tests.fakes.link import address
from tests.fakes.records import MemoryProviderStore
from tests.fakes.stream_node import FakeNode, peer_id
from tests.routing.net import KAD, DhtNode, Net, Scripted, running

CID_KEY, HASH_KEY = b"\x01\x55\x12\x20" + bytes(32), b"\x12\x20" + bytes(32)


def record(key: bytes, peer: PeerId, addrs: tuple[bytes, ...], now: float, ttl_s: float = 3600.0) -> ProviderRecord:
    return ProviderRecord(key, peer, addrs, now, now + ttl_s)


async def scripted(net: Net, number: int, answer: Message, to: DhtNode) -> tuple[FakeNode, Scripted]:
    """A strange peer that gives every request the same answer, known to `to`."""
    node = net.fake(number)
    handler = Scripted(answer)
    node.serve(KAD, handler)
    await node.connect(to.info)
    await trio.sleep(0.1)
    assert node.local_peer in to.table
    return node, handler


def providers(*entries: PeerEntry) -> Message:
    return Message(MessageType.GET_PROVIDERS, providers=entries)


async def test_local_and_remote_records_are_merged_each_peer_once(autojump_clock: Clock) -> None:
    async with running() as net:
        nodes = await net.grow(6)
        seeker, one, two = nodes[0], nodes[1], nodes[2]
        await one.kad.provide([CID_KEY, HASH_KEY])
        await two.kad.provide([HASH_KEY])
        outside = record(CID_KEY, peer_id(50), (address(50),), net.clock.wall())
        await seeker.providers.add_many([outside])
        found = await seeker.find([CID_KEY, HASH_KEY, CID_KEY])
        assert found[0].peer in {one.peer, peer_id(50)}  # the local ones come before anything is asked
        assert sorted(found, key=lambda info: info.peer) == sorted(
            [one.info, two.info, PeerInfo(peer_id(50), (address(50),))], key=lambda info: info.peer
        )


async def test_this_node_is_not_reported(autojump_clock: Clock) -> None:
    async with running() as net:
        one, two = await net.grow(2)
        await one.kad.provide([CID_KEY])
        assert await one.find([CID_KEY]) == []
        await two.kad.provide([CID_KEY])
        assert await one.find([CID_KEY]) == [two.info]


async def test_a_search_ends_once_enough_are_found(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, held, silent = await net.grow(3)
        now = net.clock.wall()
        await held.providers.add_many([record(CID_KEY, peer_id(n), (address(n),), now) for n in range(100, 110)])
        net.swarm.stall(silent.peer)
        start = trio.current_time()
        assert len(await seeker.find([CID_KEY], count=4)) == 4
        assert trio.current_time() == start


async def test_enough_local_records_ask_nobody(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, _ = await net.grow(2)
        await seeker.providers.add_many([record(CID_KEY, peer_id(9), (address(9),), net.clock.wall())])
        before = seeker.node.opened.total()
        assert await seeker.find([CID_KEY], count=1) == [PeerInfo(peer_id(9), (address(9),))]
        assert seeker.node.opened.total() == before
        assert await seeker.find([CID_KEY], count=0) == []


async def test_results_come_while_others_are_awaited(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, held, silent = await net.grow(3)
        await held.kad.provide([CID_KEY])
        net.swarm.stall(silent.peer)
        async with aclosing(seeker.kad.find_providers([CID_KEY], 10, 30.0)) as search:
            start = trio.current_time()
            assert await anext(search) == held.info
            assert trio.current_time() == start
            with pytest.raises(StopAsyncIteration):
                await anext(search)
        assert 0 < trio.current_time() - start <= 3.0


async def test_the_time_limit_ends_a_search(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, silent = await net.grow(2)
        net.swarm.stall(silent.peer)
        start = trio.current_time()
        assert await seeker.find([CID_KEY], timeout_s=1.5) == []
        assert trio.current_time() - start == pytest.approx(1.5)


async def test_leaving_a_search_early_ends_its_requests(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, held, silent = await net.grow(3)
        await held.kad.provide([CID_KEY])
        net.swarm.stall(silent.peer)
        async with aclosing(seeker.kad.find_providers([CID_KEY], 10, 30.0)) as search:
            async for info in search:
                assert info == held.info
                break
        await trio.sleep(0.01)
        assert (await seeker.kad.stats()).queries_active == 0


async def test_providers_found_after_the_asker_left_go_nowhere(autojump_clock: Clock) -> None:
    async with running() as net:
        (seeker,) = await net.grow(1)
        send, receive = trio.open_memory_channel[PeerInfo](5)
        search = ProviderSearch(seeker.kad._queries, seeker.kad._responder, 5, send)
        await seeker.providers.add_many([record(CID_KEY, peer_id(9), (address(9),), net.clock.wall())])
        receive.close()
        await search.run([CID_KEY], 10.0)
        assert send.statistics().open_send_channels == 0


async def test_a_search_ends_with_the_dht(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, silent = await net.grow(2, None)
        net.swarm.stall(silent.peer)
        later = await net.add(run=False)
        async with trio.open_nursery() as nursery:
            await nursery.start(later.kad.run)
            await later.kad.bootstrap([silent.info, seeker.info])
            nursery.start_soon(later.find, [CID_KEY])
            await trio.sleep(0.1)
            assert (await later.kad.stats()).queries_active > 0
            nursery.cancel_scope.cancel()
        assert (await later.kad.stats()).queries_active == 0


async def test_expired_records_are_not_found(autojump_clock: Clock) -> None:
    async with running() as net:
        one, two, three = await net.grow(3)
        await one.kad.provide([CID_KEY])
        await one.kad.stop_providing([CID_KEY])
        await trio.sleep(23 * 3600)
        assert await three.find([CID_KEY]) == [one.info]
        await trio.sleep(3601)
        assert await three.find([CID_KEY]) == []
        assert await two.providers.count() == 0


async def test_a_provider_without_addresses_is_looked_up(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, knowing, hidden = await net.grow(3)
        await scripted(net, 70, providers(PeerEntry(hidden.peer.raw)), seeker)
        await seeker.node.disconnect(hidden.peer)
        seeker.node.forget_addrs(hidden.peer)
        seeker.overlay().table.drop(hidden.peer, 0.0)
        assert hidden.peer in knowing.table
        assert await seeker.find([CID_KEY]) == [hidden.info]


async def test_a_provider_nobody_knows_an_address_of_is_reported_last(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, held = await net.grow(2)
        lost = peer_id(99)
        await scripted(net, 70, providers(PeerEntry(lost.raw)), seeker)
        await held.kad.provide([CID_KEY])
        assert await seeker.find([CID_KEY]) == [held.info, PeerInfo(lost)]


async def test_a_second_answer_with_addresses_serves_the_first_without(autojump_clock: Clock) -> None:
    async with running() as net:
        (seeker,) = await net.grow(1)
        await scripted(net, 70, providers(PeerEntry(peer_id(99).raw)), seeker)
        await scripted(net, 71, providers(PeerEntry(peer_id(99).raw, (address(99),))), seeker)
        assert await seeker.find([CID_KEY]) == [PeerInfo(peer_id(99), (address(99),))]


async def test_addresses_of_several_answers_go_into_the_address_book(autojump_clock: Clock) -> None:
    async with running() as net:
        (seeker,) = await net.grow(1)
        await scripted(net, 70, providers(PeerEntry(peer_id(99).raw, (address(99, 1),))), seeker)
        await scripted(net, 71, providers(PeerEntry(peer_id(99).raw, (address(99, 2), b"garbage"))), seeker)
        assert [info.peer for info in await seeker.find([CID_KEY])] == [peer_id(99)]
        assert set(seeker.node.addrs_of(peer_id(99))) == {address(99, 1), address(99, 2)}


async def test_malformed_providers_are_left_out(autojump_clock: Clock) -> None:
    async with running() as net:
        (seeker,) = await net.grow(1)
        bad = [PeerEntry(b""), PeerEntry(b"\xff" * 20), PeerEntry(bytes(300)), PeerEntry(seeker.peer.raw)]
        good = PeerEntry(peer_id(99).raw, (b"", b"garbage", address(99)))
        await scripted(net, 70, providers(*bad, good), seeker)
        assert await seeker.find([CID_KEY]) == [PeerInfo(peer_id(99), (address(99),))]


async def test_a_failing_store_is_the_searchers_error(autojump_clock: Clock) -> None:
    class Failing(MemoryProviderStore):
        async def get(self, key: bytes, now: float) -> list[ProviderRecord]:
            raise StoreError("disk gone")

    async with running() as net:
        seeker = await net.add(providers=Failing())
        with pytest.raises(StoreError, match="disk gone"):
            await seeker.find([CID_KEY])
        assert (await seeker.kad.stats()).queries_active == 0
