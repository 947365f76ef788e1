"""Lookups as they are driven: over disjoint paths among captors, and how long they took."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
import trio
from trio.abc import Clock

from chiral.interface.providers import ProviderRecord
from chiral.interface.streams import Stream
from chiral.kad.framing import frame
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType, PeerEntry, encode_message
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings
from tests.fakes.link import address
from tests.fakes.stream_node import FakeNode, peer_id
from tests.routing.net import KAD, DhtNode, Net, Scripted, running

KEY = b"a key that is fought for"
CAPTORS = sorted(range(1000, 4000), key=lambda n: KadKey.of(KEY).distance(KadKey.of(peer_id(n).raw)))[:8]
"""Numbers of peers closer to the key than any honest one: ids ground for it."""


def captors(net: Net) -> list[FakeNode]:
    """Peers who answer everything with each other's names, and with no provider."""
    entries = tuple(PeerEntry(peer_id(number).raw, (address(number),)) for number in CAPTORS)
    nodes = [net.fake(number) for number in CAPTORS]
    for node in nodes:
        node.serve(KAD, Scripted(Message(MessageType.GET_PROVIDERS, closer=entries)))
    return nodes


async def besieged(net: Net, paths: int) -> DhtNode:
    """A node that knows honest peers, one captor, and not the one peer that holds the record of the key."""
    await net.grow(10, KadSettings(k=4, alpha=2, disjoint_paths=paths))
    target = KadKey.of(KEY)
    seeker, *others = net.nodes
    holder = min(others, key=lambda node: target.distance(KadKey.of(node.peer.raw)))
    now = net.clock.wall()
    await holder.providers.add_many([ProviderRecord(KEY, peer_id(77), (address(77),), now, now + 3600)])
    await seeker.node.disconnect(holder.peer)
    seeker.node.forget_addrs(holder.peer)
    seeker.overlay().table.drop(holder.peer, 0.0)
    await captors(net)[4].connect(seeker.info)
    await trio.sleep(0.1)
    return seeker


@pytest.mark.parametrize(("paths", "found"), [(1, []), (2, [peer_id(77)])])
async def test_who_captures_one_path_does_not_hide_a_provider(
    autojump_clock: Clock, paths: int, found: list[object]
) -> None:
    async with running() as net:
        seeker = await besieged(net, paths)
        assert [info.peer for info in await seeker.find([KEY])] == found


async def test_a_caller_may_ask_for_one_path(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker = await besieged(net, 2)
        queries = queries_of(seeker)
        names = {peer_id(number) for number in CAPTORS}
        both = await queries.seek(Message(MessageType.GET_PROVIDERS, KEY))
        assert len(set(both.closest()) & names) == 2
        alone = await queries.seek(Message(MessageType.GET_PROVIDERS, KEY), paths=1)
        assert set(alone.closest()) <= names


def queries_of(node: DhtNode) -> Queries:
    return node.kad._queries[0]


async def test_the_time_of_each_lookup_is_noted(autojump_clock: Clock) -> None:
    async with running(latency_s=0.05) as net:
        one, two = await net.grow(2)
        queries = queries_of(one)
        before = queries._latencies.quantiles().count
        assert await one.kad.closest_peers(KEY)
        assert queries._latencies.quantiles().count == before + 1
        stats = (await one.kad.stats()).query_latency
        assert stats.p50_s == pytest.approx(0.1, abs=0.11)
        net.swarm.stall(two.peer)
        await one.kad.closest_peers(KEY)
        assert queries._latencies.quantile(1) == pytest.approx(10.0, abs=0.1)


async def test_lookups_that_asked_nobody_or_were_given_up_are_not_timed(autojump_clock: Clock) -> None:
    async with running() as net:
        (alone,) = await net.grow(1)
        await alone.kad.closest_peers(KEY)
        assert queries_of(alone)._latencies.quantiles().count == 0
        (silent,) = await net.grow(1)
        before = queries_of(alone)._latencies.quantiles().count
        net.swarm.stall(silent.peer)
        with trio.move_on_after(1):
            await alone.kad.closest_peers(KEY)
        assert queries_of(alone)._latencies.quantiles().count == before


async def test_a_search_that_has_enough_is_timed(autojump_clock: Clock) -> None:
    async with running(latency_s=0.05) as net:
        one, two = await net.grow(2)
        now = net.clock.wall()
        await two.providers.add_many([ProviderRecord(KEY, peer_id(77), (address(77),), now, now + 3600)])
        before = queries_of(one)._latencies.quantiles().count
        assert len(await one.find([KEY], count=1)) == 1
        assert queries_of(one)._latencies.quantiles().count == before + 1


class Flooding(Scripted):
    """Answers with as many names as may be read, each that of a live peer that answers so again."""

    def __init__(self, net: Net, numbers: Iterator[int]) -> None:
        super().__init__(b"")
        self._net = net
        self._numbers = numbers

    async def __call__(self, stream: Stream) -> None:
        fresh = [next(self._numbers) for _ in range(200)]
        for number in fresh:
            self._net.fake(number).serve(KAD, Flooding(self._net, self._numbers))
        entries = tuple(PeerEntry(peer_id(number).raw, (address(number),)) for number in fresh)
        self.reply = frame(encode_message(Message(MessageType.FIND_NODE, closer=entries)))
        await super().__call__(stream)


async def test_a_flood_of_names_ends_at_the_bound_of_questions(autojump_clock: Clock) -> None:
    async with running() as net:
        seeker, _ = await net.grow(2)
        flooding = net.fake(500)
        flooding.serve(KAD, Flooding(net, count(10_000)))
        await flooding.connect(seeker.info)
        await trio.sleep(0.1)
        before = seeker.node.opened.total()
        assert len(await seeker.kad.closest_peers(KEY)) == 20
        assert seeker.node.opened.total() - before <= 300
