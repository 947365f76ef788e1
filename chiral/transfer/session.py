"""The decisions of a session: which block to ask of which peer next. Waits for nothing and moves no byte.

Blocks are known by their index in the order they are needed. The next ones needed are asked first, never further ahead
than the look-ahead, each of one peer at a time; a peer with nothing else to do is asked for what another has owed for
long. How a peer fares stands in `peer_state`.
"""

from __future__ import annotations

import enum
import heapq
import math
from bisect import bisect_left
from collections.abc import Iterable
from typing import Generic, TypeVar

from chiral.transfer.peer_state import PeerState
from chiral.transfer.settings import TransferSettings

P = TypeVar("P")


class Failure(enum.Enum):
    """Why a request brought no block."""

    LACKED = "lacked"
    """The peer says it does not hold the block."""
    FAULT = "fault"
    """Time-out, reset, refusal: it may go better next time."""
    LIED = "lied"
    """The peer answered with other bytes."""


class Session(Generic[P]):
    """Wants the blocks `wanted`, each of about `block_bytes`; `P` is how the caller knows peers.

    Every `now` is in seconds of one clock. A wanted block is to be asked for, in flight, arrived (held against its
    CID just now), or here for good.
    """

    def __init__(self, wanted: Iterable[int], settings: TransferSettings, *, block_bytes: int = 0) -> None:
        self._order = sorted(set(wanted))
        self._todo = list(self._order)
        self._queued = set(self._order)
        self._open = set(self._order)
        self._arrived: set[int] = set()
        self._first = 0
        self._settings = settings
        self._largest_bytes = block_bytes
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
        while self._first < len(self._order) and self._order[self._first] not in self._open:
            self._first += 1
        return self._order[self._first] if self._first < len(self._order) else None

    # -- Peers

    def add_peer(self, peer: P, now: float, *, claims: bool = True) -> bool:
        """Ask `peer` too from now on; False if that changes nothing, or enough peers are asked.

        One that does not claim to hold the content is asked only for what no other may bring, until it proves itself.
        """
        if claims and self._promising(now) >= self._settings.max_providers:
            return False
        known = self.peers.get(peer)
        if known is None:
            self.peers[peer] = PeerState.new(now, self._settings, claims=claims)
            return True
        return claims and known.vouched_for()

    def _promising(self, now: float) -> int:
        first = self.first_missing()
        return sum(1 for s in self.peers.values() if not s.gone and s.trusted(now) and first not in s.lacks)

    def usable(self) -> list[P]:
        """The peers that have not been given up."""
        return [peer for peer, state in self.peers.items() if not state.gone]

    def stuck(self) -> bool:
        """Whether the block needed first is one that no peer here may still bring."""
        first = self.first_missing()
        if first is None or first in self._arrived:
            return False
        return not any(not state.gone and first not in state.lacks for state in self.peers.values())

    # -- Asking

    def next_requests(self, now: float) -> list[tuple[P, int]]:
        """Requests to send now: each is in flight from here on until `arrived` or `failed`."""
        ready = {peer: state for peer, state in self.peers.items() if state.ready(now)}
        chosen: list[tuple[P, int]] = []
        passed: list[int] = []
        limit = self._limit()
        while ready and self._todo and self._todo[0] < limit:
            index = self._next_todo()
            if not self._needed(index):
                continue  # it came after all from a peer that had been given up
            peer = self._choose(ready, index, now)
            if peer is None:
                passed.append(index)
            else:
                self._ask(ready, peer, index, now)
                chosen.append((peer, index))
        for index in passed:
            self._queue(index)
        if ready and len(self.peers) > 1:
            chosen += self._ask_again(ready, now)
        return chosen

    def _next_todo(self) -> int:
        index = heapq.heappop(self._todo)
        self._queued.discard(index)
        return index

    def _queue(self, index: int) -> None:
        heapq.heappush(self._todo, index)
        self._queued.add(index)

    def _limit(self) -> float:
        """The first index that is too far ahead to be asked for; blocks that are here already do not count."""
        ahead = min(self._settings.lookahead, max(1, self._settings.lookahead_bytes // max(1, self._largest_bytes)))
        end = bisect_left(self._order, self.position) + ahead
        return self._order[end] if end < len(self._order) else math.inf

    def _choose(self, ready: dict[P, PeerState], index: int, now: float) -> P | None:
        """The peer to ask for `index`: the one whose window is emptiest; a doubtful one if nobody else may bring it."""
        able = [(state.load, peer) for peer, state in ready.items() if index not in state.lacks and state.trusted(now)]
        if able:
            return min(able, key=lambda item: item[0])[1]
        if any(not s.gone and index not in s.lacks and s.trusted(now) for s in self.peers.values()):
            return None
        return next((peer for peer, state in ready.items() if index not in state.lacks), None)

    def _ask(self, ready: dict[P, PeerState], peer: P, index: int, now: float) -> None:
        state = ready[peer]
        state.in_flight[index] = now
        if not state.has_room:
            del ready[peer]

    def _ask_again(self, ready: dict[P, PeerState], now: float) -> list[tuple[P, int]]:
        """Ask peers that have nothing else to do for what others have owed for longer than patience lasts."""
        overdue = sorted(
            {
                index
                for state in self.peers.values()
                for index, since in state.in_flight.items()
                if now - since >= self._settings.patience_s and self._needed(index) and self._asked(index) == 1
            }
        )
        chosen: list[tuple[P, int]] = []
        for index in overdue:
            able = [p for p, s in ready.items() if index not in s.in_flight and index not in s.lacks]
            if able:
                peer = min(able, key=lambda p: not ready[p].trusted(now))
                self._ask(ready, peer, index, now)
                chosen.append((peer, index))
        return chosen

    def _needed(self, index: int) -> bool:
        return index in self._open and index not in self._arrived

    def _asked(self, index: int) -> int:
        return sum(1 for state in self.peers.values() if index in state.in_flight)

    def wake_at(self, now: float) -> float | None:
        """When something is to be decided that no answer brings about: a rest or patience is over. None if nothing."""
        times = [state.resume_at for state in self.peers.values() if not state.gone]
        times += [state.owing_since + self._settings.patience_s for state in self.peers.values()]
        return min((time for time in times if now < time < math.inf), default=None)

    # -- Answers

    def arrived(self, peer: P, index: int, size: int, now: float) -> bool:
        """`peer` answered with `size` bytes for `index`: its place is free. False if the block is not needed any more.

        If it is, `received` or `failed` must follow.
        """
        state = self.peers[peer]
        state.in_flight.pop(index, None)
        state.brought(size, now)
        self._largest_bytes = max(self._largest_bytes, size)
        if not self._needed(index):
            return False
        self._arrived.add(index)
        return True

    def received(self, peer: P, index: int, size: int) -> None:
        """What `peer` brought for `index` was that block, and is stored."""
        self.peers[peer].served_bytes += size
        self._arrived.discard(index)
        self._open.discard(index)

    def failed(self, peer: P, index: int, why: Failure, now: float) -> None:
        """`peer` did not bring block `index`; it is asked for elsewhere, or again."""
        state = self.peers[peer]
        state.in_flight.pop(index, None)
        if why is Failure.LACKED:
            state.lacked(index, now)
        elif why is Failure.LIED:
            self._arrived.discard(index)
            state.lied = state.gone = True
        else:
            state.faulted(now)
        self._ask_elsewhere(index)
        if state.gone:  # what it still owes may be a long time coming
            owed = list(state.in_flight)
            state.in_flight.clear()
            for other in owed:
                self._ask_elsewhere(other)

    def _ask_elsewhere(self, index: int) -> None:
        if self._needed(index) and index not in self._queued and not self._asked(index):
            self._queue(index)
