"""Publishes this node's own value records, and again before they expire. Records of others end at their time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing

import trio

from chiral.clock import Clock
from chiral.errors import ChiralError, LocalError
from chiral.interface.peer import PeerId
from chiral.kad.messages import Message, Record
from chiral.kad.validation import namespace_of
from chiral.routing.own_values import OwnValues, spread
from chiral.routing.placement import place
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings
from chiral.routing.values import Values

_BATCH = 256
_LOOKUPS = 4
_PEERS_AT_ONCE = 8
_LONGEST_PAUSE_S = 3600.0
_LOAD_AGAIN_S = 60.0
_log = logging.getLogger(__name__)

Renew = Callable[[bytes, float], bytes]
"""What to publish at a time (Unix seconds) in place of an own value of earlier; a `ChiralError` gives it up."""
Renewers = Mapping[str, Renew]
"""By name space; where there is none a value stays as it is."""


class ValueRepublishing:
    """Own records by the batch: a sweep finds their peers with few lookups, and each gets all of its in few streams."""

    def __init__(
        self,
        queries: Sequence[Queries],
        values: Values,
        own: OwnValues,
        clock: Clock,
        settings: KadSettings,
        renewers: Renewers,
    ) -> None:
        self._queries = queries
        self._values = values
        self._own = own
        self._clock = clock
        self._settings = settings
        self._renewers = renewers
        self._changed = trio.Event()
        self._pause_s = 0.0

    async def publish(self, values: Mapping[bytes, bytes]) -> None:
        """Have `values` published behind, and kept published; durable when it returns.

        Raises `UsageError` as `Values.put` does, before anything is kept.
        """
        for key, value in values.items():
            self._values.request_for(key, value)
        await self._own.put(values, dict.fromkeys(values, self._clock.wall()))
        self._changed.set()

    async def published(self, key: bytes, value: bytes, *, taken: bool) -> None:
        """Note that a record was put just now; if nobody took it, it is due at once."""
        now = self._clock.wall()
        await self._own.put({key: value}, {key: self._next(key, now) if taken else now + self._settings.retry_s})
        self._changed.set()

    async def withdraw(self, keys: Sequence[bytes]) -> None:
        """Publish `keys` no longer; what others keep expires there by itself."""
        await self._own.remove(keys)

    async def run(self) -> None:
        """Publish what is due until cancelled."""
        await self._load()
        while True:
            self._changed = trio.Event()
            try:
                keys = self._own.due(self._clock.wall(), _BATCH)
                if keys:
                    await self._publish(keys)
            except LocalError as error:
                _log.error("own DHT values could not be published: %s", error)
                self._pause_s = _LOAD_AGAIN_S
            due_at = self._own.next_due()
            wait_s = float("inf") if due_at is None else max(self._pause_s, due_at - self._clock.wall())
            if wait_s > 0:
                with trio.move_on_after(wait_s):
                    await self._changed.wait()

    async def _load(self) -> None:
        while True:
            try:
                return await self._own.load()
            except LocalError as error:
                _log.error("the list of own DHT values could not be read: %s", error)
            await trio.sleep(_LOAD_AGAIN_S)

    async def _publish(self, keys: Sequence[bytes]) -> None:
        """Publish `keys` now. While nobody takes any, the next attempt waits longer and longer, up to an hour."""
        requests = await self._requests(keys)
        if not requests:
            return
        asked, taken = 0, Counter[bytes]()
        for queries in self._queries:
            asked += await self._publish_in(queries, requests, taken)
        if not taken:
            least_s = self._settings.retry_s
            self._pause_s = min(_LONGEST_PAUSE_S, max(least_s, self._pause_s * 2)) if asked else least_s
            self._own.defer(keys, self._clock.wall() + self._pause_s)
            return
        self._pause_s = 0.0
        now = self._clock.wall()
        values = {key: request.record.value for key, request in requests.items() if request.record is not None}
        await self._own.put(values, {key: self._next(key, now) for key in values})

    async def _requests(self, keys: Sequence[bytes]) -> dict[bytes, Message]:
        """What to send under `keys`; records that have become invalid are given up."""
        requests: dict[bytes, Message] = {}
        for key in keys:
            value = await self._own.value(key)
            try:
                if value is not None:
                    fresh = self._renewers.get(namespace_of(key), _as_it_is)(value, self._clock.wall())
                    requests[key] = self._values.request_for(key, fresh)
                    await self._keep_here(key, fresh)
            except LocalError:
                raise
            except (ChiralError, ValueError) as error:
                _log.warning("the record under %r is published no longer: %s", key[:80], error)
        await self._own.remove([key for key in keys if key not in requests])
        return requests

    async def _keep_here(self, key: bytes, value: bytes) -> None:
        try:
            await self._values.shelf.keep(Record(key, value))
        except LocalError:
            raise
        except ChiralError as error:  # no room, or one as new stands here: others take it all the same
            _log.debug("an own value is not kept here: %s", error)

    async def _publish_in(self, queries: Queries, requests: Mapping[bytes, Message], taken: Counter[bytes]) -> int:
        of_peer: dict[PeerId, list[Message]] = {}
        async with aclosing(place(queries, list(requests), k=self._settings.k, concurrent=_LOOKUPS)) as groups:
            async for group in groups:
                for peer in group.peers:
                    of_peer.setdefault(peer, []).extend(requests[key] for key in group.keys)
        places = trio.CapacityLimiter(_PEERS_AT_ONCE)

        async def send(peer: PeerId, messages: list[Message]) -> None:
            async with places:
                taken.update(await self._values.sender.put_many(queries.client, peer, messages))

        async with trio.open_nursery() as nursery:
            for peer, messages in of_peer.items():
                nursery.start_soon(send, peer, messages)
        return len(of_peer)

    def _next(self, key: bytes, now: float) -> float:
        return now + spread(key, self._settings.value_republish_s)


def _as_it_is(value: bytes, now: float) -> bytes:
    return value
