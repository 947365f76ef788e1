"""Own value records: put behind, again before they expire, and after a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
from trio.abc import Clock

from chiral.errors import LimitExceededError, ProtocolError, StoreError, UsageError
from chiral.interface.values import QuorumError, Standing
from chiral.routing.kademlia import Kademlia
from chiral.routing.own_values import OwnValues, spread
from chiral.routing.settings import KadSettings
from tests.fakes.memory_store import MemoryDatastore
from tests.routing.net import HOUR_S, DhtNode, Net, closest, running

LIFE_S = 480.0
UNLUCKY = b"1700000013"
SETTINGS = KadSettings(value_ttl_s=LIFE_S, value_republish_s=LIFE_S / 2)


class Dated:
    """Values are the decimal time at which they were made; they last eight minutes, and the newest is best."""

    def validate(self, key: bytes, value: bytes, now: float) -> Standing:
        try:
            made = float(value)
        except ValueError as error:
            raise ProtocolError("no date") from error
        if made + LIFE_S <= now:
            raise ProtocolError("expired")
        return Standing(b"", made + LIFE_S)

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        return max(range(len(values)), key=lambda index: float(values[index]))


VALIDATORS = {"d": Dated(), "e": Dated()}


def renew(value: bytes, now: float) -> bytes:
    if value == UNLUCKY:
        raise LimitExceededError("too large by now")
    return b"%d" % int(now)


@asynccontextmanager
async def dated(count: int) -> AsyncIterator[Net]:
    """A net whose nodes know the name spaces `d`, which is renewed, and `e`, which is not."""
    async with running() as net:
        for _ in range(count):
            await newcomer(net)
        yield net


async def newcomer(net: Net, *, number: int | None = None, datastore: MemoryDatastore | None = None) -> DhtNode:
    node = await net.add(SETTINGS, validators=VALIDATORS, renewers={"d": renew}, number=number, datastore=datastore)
    if len(net.nodes) > 1:
        await node.kad.bootstrap([net.nodes[0].info])
    return node


def now_of(net: Net) -> bytes:
    return b"%d" % int(net.clock.wall())


async def values(net: Net, key: bytes, nodes: Sequence[DhtNode] = ()) -> list[bytes]:
    """What stands under `key` at `nodes`, or at all of them."""
    return [record.value for node in nodes or net.nodes for record in await node.values.get(key, net.clock.wall())]


def sent(kad: Kademlia) -> int:
    return kad._values.sender.sent


async def test_a_record_outlives_its_time(autojump_clock: Clock) -> None:
    async with dated(4) as net:
        start = now_of(net)
        await net.nodes[1].kad.put_record(b"d:key", start)
        await net.nodes[1].kad.put_record(b"e:key", start)
        await trio.sleep(10 * LIFE_S)
        held = await values(net, b"d:key")
        assert len(held) == 4
        assert all(float(value) > float(start) + 9 * LIFE_S for value in held)
        assert await values(net, b"e:key") == [], "what cannot be renewed ends, and is given up"
        assert list(net.nodes[1].kad._values.own._due) == [b"d:key"]


async def test_a_record_is_found_by_who_joins_later(autojump_clock: Clock) -> None:
    async with dated(3) as net:
        await net.nodes[1].kad.put_record(b"d:key", now_of(net))
        late = await newcomer(net)
        await trio.sleep(LIFE_S / 2 + 10)
        assert len(await late.values.get(b"d:key", net.clock.wall())) == 1


async def test_a_record_that_nobody_took_is_tried_again(autojump_clock: Clock) -> None:
    async with dated(1) as net:
        with pytest.raises(QuorumError, match="0 of 0"):
            await net.nodes[0].kad.put_record(b"d:key", now_of(net))
        await newcomer(net)
        await trio.sleep(60)
        assert len(await values(net, b"d:key")) == 2


async def test_many_are_published_behind_with_few_streams(autojump_clock: Clock) -> None:
    """A stream a peer, and lookups as for announcing: 200 records to 20 of 24 peers each."""
    async with dated(25) as net:
        author = net.nodes[3]
        keys = [b"d:%d" % number for number in range(200)]
        queries = author.kad._queries[0]._counter.done
        await author.kad.publish_records(dict.fromkeys(keys, now_of(net)))
        await trio.sleep(30)
        for key in keys[::20]:
            others = [node.peer for node in net.nodes if node is not author]
            holders = [n.peer for n in net.nodes if n is not author and await n.values.get(key, net.clock.wall())]
            assert set(holders) == set(closest(others, key, 20))
        assert sent(author.kad) == 200 * 20
        lookups = author.kad._queries[0]._counter.done - queries
        assert lookups <= 50
        assert author.kad._values.sender.streams <= 24 * (200 // 64 + 1)


async def test_after_a_restart(autojump_clock: Clock) -> None:
    async with dated(2) as net:
        datastore = MemoryDatastore()
        author = await newcomer(net, number=50, datastore=datastore)
        await author.kad.publish_records({b"d:key": now_of(net), b"d:gone": now_of(net)})
        await author.kad.withdraw_records([b"d:gone", b"d:never"])
        await trio.sleep(1)
        net.swarm.kill(author.peer)
        await trio.sleep(LIFE_S + 10)
        others = net.nodes[:2]
        assert await values(net, b"d:key", others) == []
        await newcomer(net, number=51, datastore=datastore)
        await trio.sleep(60)
        assert len(await values(net, b"d:key", others)) == 2
        assert await values(net, b"d:gone", others) == []


async def test_peers_that_refuse_are_left_alone(autojump_clock: Clock) -> None:
    """As in a swarm of Go peers: what is published there costs them three streams an hour."""
    async with running() as net:
        author = await net.add(SETTINGS, validators=VALIDATORS, renewers={"d": renew})
        others = [await net.add() for _ in range(3)]
        for node in others:
            await node.kad.bootstrap([author.info])
        await trio.sleep(1)
        for number in range(10):
            await author.kad.publish_records({b"d:%d" % number: now_of(net)})
            await trio.sleep(20)
        assert sent(author.kad) == 3 * 3, "each was asked three times"
        assert all(not author.kad._queries[0].overlay.blocked(node.peer) for node in others)
        for node in others:
            node.kad._responder._stores.values.validators = VALIDATORS
        await trio.sleep(2.5 * HOUR_S)
        assert all([len(await values(net, b"d:%d" % number)) == 4 for number in range(10)])


async def test_what_cannot_be_published(autojump_clock: Clock) -> None:
    async with dated(1) as net:
        with pytest.raises(UsageError, match="no date"):
            await net.nodes[0].kad.publish_records({b"d:good": now_of(net), b"d:bad": b"x"})
        with pytest.raises(UsageError, match="name space"):
            await net.nodes[0].kad.publish_records({b"x:bad": b"x"})
        assert len(net.nodes[0].kad._values.own) == 0


async def test_what_cannot_be_renewed_is_given_up(autojump_clock: Clock) -> None:
    async with dated(2) as net:
        await net.nodes[0].kad.publish_records({b"d:bad": UNLUCKY, b"d:good": now_of(net)})
        await trio.sleep(1)
        assert (len(await values(net, b"d:bad")), len(await values(net, b"d:good"))) == (0, 2)
        assert list(net.nodes[0].kad._values.own._due) == [b"d:good"]


class Broken(MemoryDatastore):
    """Fails until it is mended."""

    broken = True

    async def page(
        self, table: str, prefix: bytes = b"", after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        if self.broken and table == "own_values":
            raise StoreError("broken")
        return await super().page(table, prefix, after, limit)

    async def get(self, table: str, key: bytes) -> bytes | None:
        if self.broken and table == "own_values":
            raise StoreError("broken")
        return await super().get(table, key)


async def test_a_store_that_fails_for_a_while(autojump_clock: Clock) -> None:
    async with dated(2) as net:
        datastore = Broken()
        author = await newcomer(net, datastore=datastore)
        await author.kad.publish_records({b"d:key": now_of(net)})
        await trio.sleep(100)
        assert await values(net, b"d:key") == []
        datastore.broken = False
        await trio.sleep(130)
        assert len(await values(net, b"d:key")) == 3
        datastore.broken = True
        await author.kad.publish_records({b"d:later": now_of(net)})
        await trio.sleep(100)
        assert await values(net, b"d:later") == []
        datastore.broken = False
        await trio.sleep(130)
        assert len(await values(net, b"d:later")) == 3


async def test_own_values_by_when_they_are_due() -> None:
    own = OwnValues(MemoryDatastore())
    assert own.next_due() is None
    await own.put({b"a": b"1", b"b": b"2", b"c": b"3"}, {b"a": 30.0, b"b": 10.0, b"c": 20.0})
    assert (own.due(9.0, 10), own.due(20.0, 10), own.due(99.0, 1), own.next_due()) == ([], [b"b", b"c"], [b"b"], 10.0)
    own.defer([b"b", b"none"], 40.0)
    assert (own.next_due(), len(own)) == (20.0, 3)
    await own.remove([b"c", b"none"])
    assert (await own.value(b"c"), await own.value(b"b")) == (None, b"2")


async def test_own_values_that_cannot_be_read() -> None:
    datastore = MemoryDatastore()
    await datastore.put_many("own_values", {b"key": b"short"})
    with pytest.raises(StoreError):
        await OwnValues(datastore).load()


def test_times_are_spread() -> None:
    times = {spread(b"%d" % number, 100.0) for number in range(200)}
    assert len(times) > 50
    assert 90 <= min(times) < 92
    assert 98 < max(times) <= 100
