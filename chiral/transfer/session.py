"""The decisions of a session: which block to ask of which peer next. Waits for nothing and moves no byte.

Blocks are known by their index in the order they are needed. The next ones needed are asked first, never further ahead
than the look-ahead; each peer has a window of requests in flight that grows while its rate does and halves when it
fails. A peer that says it lacks a block is not asked for that one again; one that lies is out.
"""

from __future__ import annotations

import enum
import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

P = TypeVar("P")

FIRST_WINDOW = 8
_GROWTH_WORTH = 1.05


class Failure(enum.Enum):
    """Why a request brought no block."""

    LACKED = "lacked"
    """The peer says it does not hold the block."""
    FAULT = "fault"
    """Time-out, reset, refusal: it may go better next time."""
    LIED = "lied"
    """The peer answered with other bytes."""


@dataclass(slots=True)
class PeerState:
    """One peer in a session."""

    window: int
    in_flight: set[int] = field(default_factory=set)
    lacks: set[int] = field(default_factory=set)
    failures: int = 0
    resume_at: float = 0.0
    served_bytes: int = 0
    round_started: float = 0.0
    round_bytes: int = 0
    round_left: int = 0
    best_rate: float = 0.0
    gone: bool = False


class Session(Generic[P]):
    """Wants the blocks `wanted`; `P` is how the caller knows peers. Every `now` is in seconds of one clock."""

    def __init__(
        self, wanted: Iterable[int], *, max_window: int, lookahead: int, retry_s: float, max_failures: int
    ) -> None:
        self._todo = list(wanted)
        heapq.heapify(self._todo)
        self._open = set(self._todo)
        self._max_window = max_window
        self._lookahead = lookahead
        self._retry_s = retry_s
        self._max_failures = max_failures
        self.peers: dict[P, PeerState] = {}
        self.position = 0
        """The next index the reader needs; the look-ahead counts from here."""

    @property
    def done(self) -> bool:
        """Whether every wanted block has been received."""
        return not self._open

    @property
    def wanting(self) -> int:
        """How many blocks are still to come."""
        return len(self._open)

    def first_missing(self) -> int | None:
        """The lowest index still to come."""
        return min(self._open, default=None)

    def add_peer(self, peer: P, now: float) -> bool:
        """Ask `peer` too from now on; False if it is in already, or was and lied."""
        if peer in self.peers:
            return False
        self.peers[peer] = PeerState(min(FIRST_WINDOW, self._max_window), round_started=now)
        return True

    def usable(self) -> list[P]:
        """The peers that have not been given up."""
        return [peer for peer, state in self.peers.items() if not state.gone]

    def stuck(self) -> bool:
        """Whether blocks are wanted that no peer here may still bring."""
        if self.done or any(state.in_flight for state in self.peers.values()):
            return False
        first = self.first_missing()
        return not any(not state.gone and first not in state.lacks for state in self.peers.values())

    def next_requests(self, now: float) -> list[tuple[P, int]]:
        """Requests to send now: each is in flight from here on until `received` or `failed`."""
        ready = [
            (peer, state)
            for peer, state in self.peers.items()
            if not state.gone and state.resume_at <= now and len(state.in_flight) < state.window
        ]
        chosen: list[tuple[P, int]] = []
        passed: list[int] = []
        while ready and self._todo and self._todo[0] < self.position + self._lookahead:
            index = heapq.heappop(self._todo)
            able = [
                (len(state.in_flight) / state.window, i)
                for i, (_, state) in enumerate(ready)
                if index not in state.lacks
            ]
            if not able:
                passed.append(index)
                continue
            peer, state = ready[min(able)[1]]
            state.in_flight.add(index)
            chosen.append((peer, index))
            ready = [(p, s) for p, s in ready if len(s.in_flight) < s.window]
        for index in passed:
            heapq.heappush(self._todo, index)
        return chosen

    def wake_at(self, now: float) -> float | None:
        """When a peer that is resting may be asked again, or None if none rests."""
        times = [s.resume_at for s in self.peers.values() if not s.gone and s.resume_at > now]
        return min(times, default=None)

    def received(self, peer: P, index: int, size: int, now: float) -> None:
        """`peer` brought block `index`, verified, of `size` bytes."""
        state = self.peers[peer]
        state.in_flight.discard(index)
        state.failures = 0
        state.served_bytes += size
        self._open.discard(index)
        self._adapt(state, size, now)

    def failed(self, peer: P, index: int, why: Failure, now: float) -> None:
        """`peer` did not bring block `index`; it is asked for elsewhere, or again."""
        state = self.peers[peer]
        state.in_flight.discard(index)
        if index in self._open:
            heapq.heappush(self._todo, index)
        if why is Failure.LACKED:
            state.lacks.add(index)
        elif why is Failure.LIED:
            state.gone = True
        elif state.resume_at <= now:  # requests that fail together count as one failure
            state.failures += 1
            state.window = max(1, state.window // 2)
            state.resume_at = now + self._retry_s * 2 ** (state.failures - 1)
            state.gone = state.failures >= self._max_failures

    def _adapt(self, state: PeerState, size: int, now: float) -> None:
        """At the end of each window's worth of blocks, widen the window if the rate rose with it."""
        state.round_bytes += size
        state.round_left -= 1
        if state.round_left > 0:
            return
        elapsed = now - state.round_started
        rate = state.round_bytes / elapsed if elapsed > 0 else 0.0
        if rate >= state.best_rate * _GROWTH_WORTH or not state.best_rate:
            state.best_rate = rate
            state.window = min(self._max_window, state.window * 2)
        elif rate < state.best_rate / 2:
            state.best_rate = rate  # the path changed: learn its rate anew from here
        state.round_started, state.round_bytes, state.round_left = now, 0, state.window
