"""The bus: carries typed events from where they happen to whoever listens, never making the sender wait."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import trio

from chiral.events.types import Event

DEFAULT_BACKLOG_EVENTS = 1024


class Subscription:
    """One listener's bounded backlog: when it is full the oldest event is lost and counted in `lost`."""

    def __init__(self, backlog: int) -> None:
        self._queue: deque[Event] = deque(maxlen=backlog)
        self._wake = trio.Event()
        self.lost = 0

    def push(self, event: Event) -> None:
        """Take an event; called by the bus."""
        if len(self._queue) == self._queue.maxlen:
            self.lost += 1
        self._queue.append(event)
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            while self._queue:
                yield self._queue.popleft()
            self._wake = trio.Event()
            await self._wake.wait()


class EventBus:
    """Publishes to all current subscriptions. Publishing is synchronous and cheap."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    def publish(self, event: Event) -> None:
        for subscription in self._subscriptions:
            subscription.push(event)

    @contextmanager
    def subscribe(self, backlog: int = DEFAULT_BACKLOG_EVENTS) -> Iterator[Subscription]:
        """Listen from now until the block is left; `backlog` is how many events may wait."""
        if not 0 < backlog < math.inf:
            raise ValueError("backlog must be positive and finite")
        subscription = Subscription(backlog)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
