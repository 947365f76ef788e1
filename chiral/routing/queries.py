"""Drives lookups: asks whom the machine names, alpha at once, and tells it what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import trio

from chiral.clock import Clock
from chiral.errors import RemoteError, RequestTimeoutError
from chiral.interface.peer import PeerId
from chiral.kad.disjoint import AnyLookup, DisjointLookup
from chiral.kad.key import KadKey
from chiral.kad.lookup import Lookup, LookupLimits
from chiral.kad.messages import Message
from chiral.routing.client import KadClient
from chiral.routing.latencies import Latencies
from chiral.routing.overlay import Overlay
from chiral.routing.settings import KadSettings
from chiral.routing.stats import QueryCounter

_SEED_FACTOR = 4
OnAnswer = Callable[[PeerId, Message], bool]
"""Takes each answer as it comes; true ends the lookup, because what was sought is found."""


class Queries:
    """Lookups in one overlay."""

    def __init__(
        self,
        overlay: Overlay,
        client: KadClient,
        clock: Clock,
        settings: KadSettings,
        counter: QueryCounter,
        latencies: Latencies,
    ) -> None:
        self.overlay = overlay
        self.client = client
        self._clock = clock
        self._settings = settings
        self._counter = counter
        self._latencies = latencies
        self._limits = LookupLimits(k=settings.k, alpha=settings.alpha, stall_s=settings.stall_s)

    async def seek(
        self,
        request: Message,
        on_answer: OnAnswer | None = None,
        *,
        seeds: Iterable[PeerId] = (),
        paths: int | None = None,
    ) -> AnyLookup:
        """Put `request` to ever closer peers of its key, until the closest have answered or `on_answer` is content.

        Begins with the table's closest and `seeds`, over `paths` disjoint paths (those of the settings if None).
        Returns the lookup as it stands at its end, or at the query time-out. Faults of single peers raise nothing.
        """
        target = KadKey.of(request.key)
        table = self.overlay.table
        # More than k, because answers stop at k and name the dead among them: with many dead, the table fills the gap.
        start = [*table.closest(target, _SEED_FACTOR * self._settings.k), *seeds]
        lookup = self._lookup(target, start, paths or self._settings.disjoint_paths)
        table.touch(target, self._clock.monotonic())
        # With every seed left alone for its failures there would be no way out, so then they are asked all the same.
        desperate = all(self.overlay.blocked(peer) for peer in start)
        with self._counter.counting() as outcome, self._timed(lookup):
            with trio.move_on_after(self._settings.query_timeout_s):
                await self._run(_Drive(lookup, request, on_answer, desperate))
            # With nobody to ask there was no lookup to fail: a first node of a swarm is alone for a while.
            outcome.succeeded = bool(lookup.closest(1)) or not lookup.asked
        if not lookup.finished:
            lookup.stop()
        for peer in lookup.stalled:
            # The lookup went on without it before its deadline came, and the next one is not to wait for it again.
            self.overlay.failed(peer, RequestTimeoutError(f"{peer.short} stalled"))
        return lookup

    def _lookup(self, target: KadKey, start: list[PeerId], paths: int) -> AnyLookup:
        local = self.overlay.table.local
        if paths == 1:
            return Lookup(target, start, local=local, limits=self._limits)
        return DisjointLookup(target, start, local=local, paths=paths, limits=self._limits)

    @contextmanager
    def _timed(self, lookup: AnyLookup) -> Iterator[None]:
        """Note how long the lookup took, unless it asked nobody or was given up by who wanted it."""
        begun = self._clock.monotonic()
        cancelled = True
        try:
            yield
            cancelled = False
        finally:
            # One that was stopped has found what was sought, though its task be cancelled for that very reason.
            if lookup.asked and (not cancelled or lookup.finished):
                self._latencies.add(self._clock.monotonic() - begun)

    async def _run(self, drive: _Drive) -> None:
        lookup = drive.lookup
        async with trio.open_nursery() as nursery:
            while not lookup.finished:
                now = self._clock.monotonic()
                drive.changed = trio.Event()
                if self._start(drive, nursery, now):
                    continue
                if lookup.finished:
                    break
                stall_at = lookup.next_stall()
                with trio.move_on_after(max(0.0, stall_at - now) if stall_at is not None else float("inf")):
                    await drive.changed.wait()
            nursery.cancel_scope.cancel()

    def _start(self, drive: _Drive, nursery: trio.Nursery, now: float) -> bool:
        """Ask whom the machine names; true if some were passed over, so that it may name others at once."""
        passed_over = False
        for peer in drive.lookup.next_queries(now):
            if self.overlay.blocked(peer) and not drive.desperate:
                drive.lookup.failed(peer)
                passed_over = True
            else:
                nursery.start_soon(self._ask, drive, peer)
        return passed_over

    async def _ask(self, drive: _Drive, peer: PeerId) -> None:
        try:
            answer = await self.client.request(peer, drive.request)
        except RemoteError as error:
            drive.lookup.failed(peer)
            self.overlay.failed(peer, error)
        else:
            self._take(drive, peer, answer)
        drive.changed.set()

    def _take(self, drive: _Drive, peer: PeerId, answer: Message) -> None:
        self.overlay.observe(peer)
        told = self.overlay.learn(answer.closer, known=drive.lookup)
        infos = {info.peer: info for info in told if self.overlay.reachable(info)}
        worth = [other for other in infos if other in drive.lookup]
        worth += drive.lookup.answered(peer, infos)
        for other in worth:
            self.overlay.remember(infos[other])
        if drive.on_answer is not None and drive.on_answer(peer, answer):
            drive.lookup.stop()


class _Drive:
    """One lookup under way."""

    def __init__(self, lookup: AnyLookup, request: Message, on_answer: OnAnswer | None, desperate: bool) -> None:
        self.lookup = lookup
        self.request = request
        self.on_answer = on_answer
        self.desperate = desperate
        self.changed = trio.Event()
