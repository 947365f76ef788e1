from __future__ import annotations

import math
from contextlib import aclosing
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chiral.block.cid import CID
from chiral.events.bus import EventBus, Subscription
from chiral.events.types import BlockReceived, Event, PeerConnected, PeerDisconnected
from chiral.interface.peer import PeerId

PEER = PeerId(b"\x12\x20" + bytes(32))


def received(number: int) -> BlockReceived:
    return BlockReceived(PEER, CID.of(b"%d" % number), number)


async def take(subscription: Subscription, count: int) -> list[Event]:
    events: list[Event] = []
    stream: Any = aiter(subscription)
    async with aclosing(stream):
        async for event in stream:
            events.append(event)
            if len(events) == count:
                break
    return events


async def test_each_listener_gets_each_event_in_order() -> None:
    bus = EventBus()
    with bus.subscribe() as one, bus.subscribe() as two:
        sent: list[Event] = [PeerConnected(PEER), received(1), received(2), PeerDisconnected(PEER)]
        for event in sent:
            bus.publish(event)
        assert await take(one, 4) == sent
        assert await take(two, 4) == sent


async def test_a_listener_waits_for_what_comes() -> None:
    bus = EventBus()
    got: list[Event] = []

    async def listen(subscription: Subscription) -> None:
        got.extend(await take(subscription, 3))

    with bus.subscribe() as subscription:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, subscription)
            for number in range(3):
                await wait_all_tasks_blocked()
                bus.publish(received(number))
    assert got == [received(0), received(1), received(2)]


async def test_a_slow_listener_loses_the_oldest_and_counts_them() -> None:
    bus = EventBus()
    with bus.subscribe(backlog=3) as slow, bus.subscribe() as quick:
        for number in range(10):
            bus.publish(received(number))
        assert await take(slow, 3) == [received(7), received(8), received(9)]
        assert slow.lost == 7
        assert quick.lost == 0
        assert len(await take(quick, 10)) == 10


async def test_only_events_from_then_on_and_until_then() -> None:
    bus = EventBus()
    bus.publish(received(0))
    with bus.subscribe() as subscription:
        bus.publish(received(1))
    bus.publish(received(2))
    assert await take(subscription, 1) == [received(1)]
    with trio.move_on_after(0) as scope:
        await take(subscription, 1)
    assert scope.cancelled_caught


async def test_a_cancelled_listener_takes_up_where_it_was() -> None:
    bus = EventBus()
    with bus.subscribe() as subscription:
        with trio.move_on_after(0):
            await take(subscription, 1)
        bus.publish(received(1))
        assert await take(subscription, 1) == [received(1)]


def test_publishing_to_nobody() -> None:
    EventBus().publish(received(1))


@pytest.mark.parametrize("backlog", [0, -1, math.inf])
def test_a_backlog_that_is_none(backlog: int) -> None:
    with pytest.raises(ValueError, match="backlog"), EventBus().subscribe(backlog):
        pass
