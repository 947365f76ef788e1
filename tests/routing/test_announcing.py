"""Announcing: where records go, how few requests that takes, and that they are kept alive."""

from __future__ import annotations

import trio
from trio.abc import Clock

from chiral.interface.streams import Stream
from chiral.kad.announcement import AnnouncementFrames
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType
from chiral.kad.schedule import Schedule
from chiral.routing.inbox import Inbox
from chiral.routing.settings import KadSettings
from chiral.routing.telling import tell_peer
from tests.fakes.records import MemoryProviderStore
from tests.fakes.stream_node import FakeNode
from tests.routing.net import HOUR_S, KAD, closest, holders, running

KEY = b"a key"
MANY = [b"chunk %d" % number for number in range(401)]


def opened(node: FakeNode) -> int:
    return sum(count for (_, protocol), count in node.opened.items() if protocol == KAD)


async def test_many_keys_in_a_small_network_take_one_lookup_and_few_streams(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(12)
        provider = net.nodes[5]
        before, queries = opened(provider.node), (await provider.kad.stats()).queries_done
        results = await provider.kad.provide(MANY)
        assert [result.key for result in results] == MANY
        assert all((result.asked, result.stored) == (11, 11) for result in results)
        assert (await provider.kad.stats()).queries_done - queries == 1
        # One FIND_NODE to each of the others, and 401 records in batches of 250.
        assert opened(provider.node) - before == 11 + 11 * 2
        for node in net.nodes:
            if node is not provider:
                assert await node.providers.count() == 401
                assert node.providers.writes <= 20
        assert await net.nodes[11].find([MANY[400]]) == [provider.info]


async def test_in_a_larger_network_each_key_goes_to_its_own_closest(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(30, KadSettings(k=8))
        provider = net.nodes[3]
        results = await provider.kad.provide(MANY[:40])
        others = [node.peer for node in net.nodes if node is not provider]
        for result in results:
            assert (result.asked, result.stored) == (8, 8)
            assert await holders(net, result.key, provider.peer) == set(closest(others, result.key, 8))


async def test_keys_are_announced_each_once(autojump_clock: Clock) -> None:
    async with running() as net:
        one, two = await net.grow(2)
        assert [result.key for result in await one.kad.provide([KEY, b"x", KEY])] == [KEY, b"x"]
        assert await two.providers.count() == 2


async def test_an_announcement_carries_the_listen_addresses_and_the_own_id(autojump_clock: Clock) -> None:
    seen: list[Message] = []

    async def keep(stream: Stream) -> None:
        inbox = Inbox(stream)
        while (message := await inbox.next()) is not None:
            seen.append(message)

    async with running() as net:
        node = await net.add()
        strange = net.fake(500)
        strange.serve(KAD, keep)
        await strange.connect(node.info)
        await trio.sleep(0.1)
        # It answers no lookup, so it is not among those who are told; its request alone says what would be.
        frames = AnnouncementFrames(node.overlay().entry(node.peer))
        assert await tell_peer(node.kad._queries[0], strange.local_peer, [frames.of(KEY)])
        (message,) = seen
        assert message.type is MessageType.ADD_PROVIDER
        assert message.key == KEY
        assert [(entry.id, entry.addrs) for entry in message.providers] == [(node.peer.raw, node.node.listen_addrs())]


async def test_who_does_not_take_a_record_is_not_counted(autojump_clock: Clock) -> None:
    async with running() as net:
        provider, taking = await net.grow(2)
        full = await net.add(providers=MemoryProviderStore(total=0))
        await full.kad.bootstrap([provider.info])
        (result,) = await provider.kad.provide([KEY])
        assert (result.asked, result.stored) == (2, 1)
        assert await holders(net, KEY, provider.peer) == {taking.peer}
        assert full.peer in provider.table  # a refusal is no sign of death


async def test_records_are_renewed_as_long_as_they_are_provided(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(3)
        provider = net.nodes[1]
        await provider.kad.provide([KEY, b"other"])
        await trio.sleep(37 * HOUR_S)
        assert len(await holders(net, KEY, provider.peer)) == 2
        await provider.kad.stop_providing([KEY])
        await trio.sleep(25 * HOUR_S)
        assert await holders(net, KEY, provider.peer) == set()
        assert len(await holders(net, b"other", provider.peer)) == 2
        assert (await provider.kad.stats()).own_announced == 1


async def test_republishing_comes_every_twelve_hours_at_the_turn_of_the_key(autojump_clock: Clock) -> None:
    async with running() as net:
        provider, other = await net.grow(2)
        await provider.kad.provide([KEY])
        (first,) = await other.providers.get(KEY, net.clock.wall())
        schedule = Schedule.of_node(12 * HOUR_S, provider.peer)
        turn = schedule.next_turn(KadKey.of(KEY).value >> 192, first.received_at)
        await trio.sleep(turn - net.clock.wall() - 1)
        assert await other.providers.get(KEY, net.clock.wall()) == [first]
        for later_s in (0.0, 12 * HOUR_S, 24 * HOUR_S):
            await trio.sleep(turn + later_s + 1 - net.clock.wall())
            (renewed,) = await other.providers.get(KEY, net.clock.wall())
            assert abs(renewed.received_at - turn - later_s) < 1


async def test_what_was_provided_alone_is_announced_when_peers_appear(autojump_clock: Clock) -> None:
    async with running() as net:
        lonely = await net.add()
        await lonely.kad.provide([KEY])
        assert (await lonely.kad.stats()).own_pending == 1
        late = await net.add()
        await late.kad.bootstrap([lonely.info])
        await trio.sleep(1)
        assert await holders(net, KEY, lonely.peer) == {late.peer}
        assert (await lonely.kad.stats()).own_pending == 0


async def test_what_nobody_took_is_tried_again(autojump_clock: Clock) -> None:
    async with running() as net:
        provider, other = await net.grow(2)
        net.swarm.stall(other.peer)
        (result,) = await provider.kad.provide([KEY])
        assert result.stored == 0
        net.swarm.unstall(other.peer)
        await trio.sleep(130)
        assert await holders(net, KEY, provider.peer) == {other.peer}


async def test_a_cancelled_announcement_is_made_up_for(autojump_clock: Clock) -> None:
    async with running() as net:
        provider, other = await net.grow(2)
        net.swarm.stall(other.peer)
        with trio.move_on_after(1):
            await provider.kad.provide([KEY])
        net.swarm.unstall(other.peer)
        await trio.sleep(130)
        assert await holders(net, KEY, provider.peer) == {other.peer}


async def test_in_a_network_that_grew_more_peers_come_to_hold_a_record(autojump_clock: Clock) -> None:
    async with running() as net:
        provider, _ = await net.grow(2)
        await provider.kad.provide([KEY])
        await net.grow(10)
        assert len(await holders(net, KEY, provider.peer)) == 1
        await trio.sleep(HOUR_S)
        assert len(await holders(net, KEY, provider.peer)) == 11


async def test_peers_that_died_meanwhile_cost_no_more_than_a_deadline(autojump_clock: Clock) -> None:
    async with running() as net:
        await net.grow(10)
        provider = net.nodes[0]
        await provider.kad.closest_peers(KEY)
        dead = net.nodes[4:7]
        net.swarm.kill(dead[0].peer)
        net.swarm.kill(dead[1].peer)
        net.swarm.stall(dead[2].peer)
        start = trio.current_time()
        results = await provider.kad.provide(MANY[:50])
        assert trio.current_time() - start < 5
        assert all((result.asked, result.stored) == (6, 6) for result in results)
