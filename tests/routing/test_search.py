"""Searching for providers: what is reported, when, and how a search ends."""

from __future__ import annotations

from contextlib import aclosing

import pytest
import trio
from trio.abc import Clock

from chiral.errors import StoreError
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.providers import FoundProvider, ProviderRecord
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType, PeerEntry
from chiral.routing.provider_search import ProviderSearch
from tests.fakes.link import address
from tests.fakes.records import MemoryProviderStore
from tests.fakes.stream_node import FakeNode, peer_id
from tests.routing.net import KAD, DhtNode, Net, Scripted, exchange, running

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
        send, receive = trio.open_memory_channel[FoundProvider](5)
        search = ProviderSearch(seeker.kad._searches, 5, send)
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


async def rich(node: DhtNode, count: int = 100) -> list[FoundProvider]:
    """What a search reports, with all that is known of each record."""
    send, receive = trio.open_memory_channel[FoundProvider](count)
    await ProviderSearch(node.kad._searches, count, send).run([CID_KEY], 30.0)
    return [found async for found in receive]


async def test_a_found_record_tells_its_distance_and_where_it_was_held(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, held = await net.grow(2)
        now = net.clock.wall()
        await seeker.providers.add_many([record(CID_KEY, peer_id(8), (address(8),), now - 7)])
        await held.providers.add_many([record(CID_KEY, peer_id(9), (address(9),), now)])
        key = KadKey.of(CID_KEY)
        assert await rich(seeker) == [
            FoundProvider(
                PeerInfo(peer_id(8), (address(8),)), CID_KEY, key.distance(KadKey.of(peer_id(8).raw)), now - 7, None
            ),
            FoundProvider(
                PeerInfo(peer_id(9), (address(9),)), CID_KEY, key.distance(KadKey.of(peer_id(9).raw)), None, held.peer
            ),
        ]


async def hold(net: Net, node: DhtNode, *numbers: int) -> None:
    """Let `node` keep that the peers of these numbers provide the key."""
    now = net.clock.wall()
    await node.providers.add_many([record(CID_KEY, peer_id(n), (address(n),), now) for n in numbers])


async def test_what_was_found_lately_is_reported_at_once_and_the_network_is_asked_all_the_same(
    autojump_clock: Clock,
) -> None:
    async with running() as net:
        seeker, held = await net.grow(2)
        await hold(net, held, 100, 101)
        assert len(await seeker.find([CID_KEY])) == 2
        await hold(net, held, 102)
        net.swarm.latency_s = 1.0
        start = trio.current_time()
        times = {}
        async with aclosing(seeker.kad.find_providers([CID_KEY], 10, 30.0)) as search:
            async for info in search:
                times[info.peer] = trio.current_time() - start
        assert times[peer_id(100)] == times[peer_id(101)] == 0
        assert times[peer_id(102)] > 0
        assert held.peer not in times


async def test_what_was_found_lately_is_forgotten_in_time(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, held = await net.grow(2)
        await hold(net, held, 100)
        assert len(await seeker.find([CID_KEY])) == 1
        await held.providers.remove(CID_KEY, peer_id(100))
        assert len(await seeker.find([CID_KEY])) == 1
        await trio.sleep(121)
        assert await seeker.find([CID_KEY]) == []


async def test_what_was_found_lately_is_not_told_to_others(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, held = await net.grow(2)
        await hold(net, held, 100)
        assert len(await seeker.find([CID_KEY])) == 1
        answer = await exchange(held.node, seeker.peer, Message(MessageType.GET_PROVIDERS, CID_KEY))
        assert answer is not None
        assert answer.providers == ()
        assert await seeker.providers.count() == 0


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_those_of_before_do_not_take_the_places_of_new_ones(autojump_clock: Clock, count: int) -> None:
    async with running() as net:
        seeker, held = await net.grow(2)
        await hold(net, held, *range(100, 108))
        assert len(await seeker.find([CID_KEY])) == 8
        for number in range(100, 108):
            await held.providers.remove(CID_KEY, peer_id(number))
        await hold(net, held, *range(200, 204))
        found = {info.peer for info in await seeker.find([CID_KEY], count=count)}
        assert len(found) == count
        assert len(found & {peer_id(number) for number in range(200, 204)}) == count - count // 2


async def test_without_others_those_of_before_fill_the_places(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, held = await net.grow(2)
        await hold(net, held, *range(100, 104))
        assert len(await seeker.find([CID_KEY])) == 4
        net.swarm.kill(held.peer)
        assert len(await seeker.find([CID_KEY], count=3)) == 3
        assert len(await seeker.find([CID_KEY], count=100)) == 4


async def test_false_addresses_do_not_crowd_out_the_one_that_works(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, provider = await net.grow(2)
        crowd = tuple(address(1, port) for port in range(1, 60))
        await scripted(net, 70, providers(PeerEntry(provider.peer.raw, crowd)), seeker)
        (found,) = await seeker.find([CID_KEY])
        assert found.addrs[0] == provider.info.addrs[0]
        assert len(found.addrs) == 16


async def test_names_without_addresses_are_looked_up_and_reported_within_bounds(autojump_clock: Clock) -> None:
    async with running() as net:
        (seeker,) = await net.grow(1)
        names = [PeerEntry(peer_id(number).raw) for number in range(1000, 1400)]
        bad, handler = await scripted(net, 70, providers(*names), seeker)
        assert len(await seeker.find([CID_KEY], count=1000)) == 256
        sought = {request.key for request in handler.requests if request.type is MessageType.FIND_NODE}
        assert len(sought & {entry.id for entry in names}) == 16
        assert bad.local_peer in seeker.table
