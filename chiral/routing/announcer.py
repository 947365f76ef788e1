"""Announces this node's own keys: at once where somebody waits for it, else in sweeps of what is due."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Collection, Iterator, Sequence
from contextlib import contextmanager

import trio

from chiral.clock import Clock
from chiral.errors import LocalError
from chiral.interface.routing import ProvideResult
from chiral.kad.key import KadKey
from chiral.routing.announce_stats import AnnounceStats, Lag
from chiral.routing.own_keys import OwnKeys
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings
from chiral.routing.telling import Round

_SWEEP_KEYS = 8192
_YIELD_S = 60.0
"""How long a sweep waits at most for announcements that somebody waits for."""
_LOOK_S = 30.0
_RETRY_CAP_S = 900.0
_log = logging.getLogger(__name__)


class Announcer:
    """Sends ADD_PROVIDERs for this node's own keys in every overlay; `run` does what nobody waits for."""

    def __init__(self, queries: Sequence[Queries], own: OwnKeys, clock: Clock, settings: KadSettings) -> None:
        self._queries = queries
        self._own = own
        self._clock = clock
        self._settings = settings
        self._lag = Lag(settings.republish_s)
        self._began_at = clock.wall()
        self._changed = trio.Event()
        self._reviews = 0
        self._urgent = 0
        self._not_urgent = trio.Event()
        self._fruitless = 0
        self._sweeping = False
        self._last_sweep: tuple[float, float, int] | None = None
        self._announced = 0

    async def announce(self, keys: Sequence[bytes], *, by_hand: bool) -> list[ProvideResult]:
        """Announce `keys`, which are this node's own from now on, at once; the results are in the order of `keys`."""
        with self._in_a_hurry():
            try:
                await self._own.add(keys, self._clock.wall(), under_way=True, by_hand=by_hand)
            except BaseException:
                self._own.announced(dict.fromkeys(keys, 0), self._clock.wall())
                raise
            return (await self._round(keys)).results()

    async def schedule(self, keys: Collection[bytes]) -> None:
        """Have those of `keys` that are new announced behind, before what is only announced again."""
        await self._own.add(keys, self._clock.wall())
        self._changed.set()

    async def provide_only(self, batches: AsyncIterable[Collection[bytes]]) -> int:
        """`schedule` all that `batches` give, and provide no others but those given by hand; returns how many ended.

        Raises what `batches` raise, and nothing ends then.
        """
        # No sweep meanwhile: it would announce what is about to end, and go over the ring with half of the keys.
        self._reviews += 1
        try:
            await self._own.begin_naming()
            async for keys in batches:
                await self._own.add(keys, self._clock.wall())
            return await self._own.keep_named()
        finally:
            self._reviews -= 1
            self._changed.set()

    async def stop(self, keys: Collection[bytes]) -> None:
        """Announce `keys` no longer."""
        await self._own.remove(keys)

    def hasten(self, below: int) -> None:
        """The network grew: keys that fewer than `below` peers took are announced again now."""
        self._own.hasten(self._clock.wall(), below)
        self._changed.set()

    def neighbourhood_changed(self, around: KadKey, bits: int) -> None:
        """Other peers are now the closest around `around`: keys that share `bits` leading bits are announced again."""
        self._own.hasten_around(self._clock.wall(), around, bits)
        self._changed.set()

    def stats(self) -> AnnounceStats:
        """How announcing stands now."""
        now = self._clock.wall()
        began_at, took_s, count = self._last_sweep or (None, None, 0)
        return AnnounceStats(
            keys=len(self._own),
            pending=self._own.pending,
            due=self._own.due(now),
            behind_s=max(0.0, now - self._own.next_due()),
            announced=self._announced,
            keys_per_s=count / took_s if took_s else 0.0,
            last_sweep_at=began_at,
            last_sweep_s=took_s,
            sweeping=self._sweeping,
            keeping_up=self._lag.keeping_up,
        )

    async def run(self) -> None:
        """Take up what the last run left, and announce what is due, until cancelled."""
        await self._own.load()
        while True:
            self._changed = trio.Event()
            await self._give_way()
            if self._reviews or not self._has_peers():
                wait_s = _LOOK_S
            elif await self._sweep():
                continue
            else:
                wait_s = max(0.0, self._own.next_due() - self._clock.wall())
            with trio.move_on_after(wait_s):
                await self._changed.wait()

    def _has_peers(self) -> bool:
        return any(len(queries.overlay.table) for queries in self._queries)

    async def _give_way(self) -> None:
        # What somebody waits for goes first, but not for ever.
        with trio.move_on_after(_YIELD_S):
            while self._urgent:
                await self._not_urgent.wait()

    @contextmanager
    def _in_a_hurry(self) -> Iterator[None]:
        self._urgent += 1
        try:
            yield
        finally:
            self._urgent -= 1
            if not self._urgent:
                self._not_urgent.set()
                self._not_urgent = trio.Event()
            self._changed.set()

    async def _sweep(self) -> bool:
        """Announce some of what is due; false if nothing is, or it cannot be read now."""
        now = self._clock.wall()
        try:
            keys = await self._own.take(now, _SWEEP_KEYS)
        except LocalError as error:
            _log.error("own keys that are due cannot be read: %s", error)
            return False
        if not keys:
            return False
        self._sweeping = True
        try:
            done = await self._round(keys)
        finally:
            self._sweeping = False
        self._fruitless = 0 if any(done.stored.values()) else self._fruitless + 1
        self._last_sweep = now, self._clock.wall() - now, len(keys)
        self._judge()
        return True

    async def _round(self, keys: Sequence[bytes]) -> Round:
        done = Round(keys, self._queries, self._settings)
        try:
            await done.run()
            self._announced += len(keys)
        finally:
            # After a cancellation too: what was not told to anybody is due again soon, or after the next start.
            retry_s = min(_RETRY_CAP_S, self._settings.retry_s * 2 ** min(self._fruitless, 10))
            await self._own.save(self._own.announced(done.stored, self._clock.wall(), retry_s=retry_s))
        return done

    def _judge(self) -> None:
        """Say so in the log where announcing has come to lag behind, or has caught up."""
        now = self._clock.wall()
        # What fell due while the node did not run says nothing of how fast it announces.
        behind_s = max(0.0, now - max(self._own.next_due(), self._began_at))
        if not self._lag.update(behind_s, now):
            return
        if self._lag.keeping_up:
            _log.info("announcing has caught up")
            return
        stats = self.stats()
        _log.warning(
            "announcing cannot keep up: %d of %d keys are due, the longest for %.1f h, and %.0f go a second; others "
            'may stop finding them. Set announce = "roots" to announce files without their chunks',
            stats.due, stats.keys, behind_s / 3600, stats.keys_per_s,
        )  # fmt: skip
