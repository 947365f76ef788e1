"""The iterative lookup as a machine: whom to ask next, and when the closest live peers are known. Sends nothing.

Source: Maymounkov and Mazières, "Kademlia" (2002), section 2.3; libp2p kad-dht specification, "Peer routing".
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from heapq import nsmallest

from chiral.interface.peer import PeerId
from chiral.kad.key import KadKey


class _State(Enum):
    HEARD = "heard"
    ASKED = "asked"
    STALLED = "stalled"
    ANSWERED = "answered"
    FAILED = "failed"


_IN_FLIGHT = (_State.ASKED, _State.STALLED)


@dataclass(slots=True)
class _Candidate:
    distance: int
    peer: PeerId
    state: _State = _State.HEARD
    asked_at: float = 0.0

    def __lt__(self, other: _Candidate) -> bool:
        return self.distance < other.distance


@dataclass(frozen=True, slots=True)
class LookupLimits:
    """`k` closest are sought with `alpha` questions in flight.

    A peer that has not answered after `stall_s` seconds no longer holds a place of alpha, nor the end of the lookup
    unless nobody else answered; its answer still counts when it comes. At most `max_candidates` peers are remembered
    and `max_queries` asked, so that a liar who invents ever closer peers cannot keep a lookup going.
    """

    k: int = 20
    alpha: int = 10
    stall_s: float = 3.0
    max_candidates: int = 400
    max_queries: int = 300


@dataclass(slots=True)
class _Tally:
    asked: int = 0
    heard: int = 0
    dropped: bool = False


class Lookup:
    """Seeks the peers closest to `target`, beginning with `seeds`; `local` is never asked."""

    def __init__(
        self, target: KadKey, seeds: Iterable[PeerId], *, local: PeerId, limits: LookupLimits | None = None
    ) -> None:
        self.target = target
        self._local = local
        self._limits = limits or LookupLimits()
        self._known: dict[PeerId, _Candidate] = {}
        self._order: list[_Candidate] = []
        self._tally = _Tally()
        self._stopped = False
        for peer in seeds:
            self._hear(peer)

    def __contains__(self, peer: object) -> bool:
        """Whether `peer` has been heard of."""
        return peer in self._known

    # What to do.

    def next_queries(self, now: float) -> list[PeerId]:
        """The peers to ask now, nearest first; they count as asked. Empty while answers are awaited, and at the end."""
        if self._stopped:
            return []
        self._mark_stalled(now)
        free = self._limits.alpha - sum(candidate.state is _State.ASKED for candidate in self._order)
        chosen: list[PeerId] = []
        for candidate in self._front():
            if len(chosen) >= free or self._tally.asked >= self._limits.max_queries:
                break
            if candidate.state is _State.HEARD:
                candidate.state, candidate.asked_at = _State.ASKED, now
                self._tally.asked += 1
                chosen.append(candidate.peer)
        return chosen

    def next_stall(self) -> float | None:
        """When the oldest question in flight will count as stalled; None if none is in flight."""
        asked = [candidate.asked_at for candidate in self._order if candidate.state is _State.ASKED]
        return min(asked) + self._limits.stall_s if asked else None

    def stop(self) -> None:
        """Nothing more is to be asked: what was sought has been found, or the time is up."""
        self._stopped = True

    # What happened.

    def answered(self, peer: PeerId, closer: Iterable[PeerId]) -> list[PeerId]:
        """`peer` answered with peers it thinks `closer`; returns those that were new and are worth remembering.

        Of one answer only the k closest are taken, so that no single peer can fill the list.
        """
        candidate = self._known.get(peer)
        if candidate is None or candidate.state not in _IN_FLIGHT:
            return []
        candidate.state = _State.ANSWERED
        peers = set(closer)
        self._tally.dropped |= len(peers) > self._limits.k
        nearest = nsmallest(self._limits.k, peers, key=self._distance)
        return [other for other in nearest if self._hear(other)]

    def failed(self, peer: PeerId) -> None:
        """`peer` could not be asked, or did not answer as the protocol has it."""
        candidate = self._known.get(peer)
        if candidate is not None and candidate.state is not _State.ANSWERED:
            candidate.state = _State.FAILED

    # How it stands.

    @property
    def finished(self) -> bool:
        """Whether the k closest live peers have all answered, everybody was asked, or the lookup was stopped."""
        return self._stopped or (self.spent and (bool(self.closest(1)) or not self.stalled))

    @property
    def spent(self) -> bool:
        """Whether nobody worth asking is left and no answer is awaited but those of stalled peers."""
        awaited = (_State.ASKED,) if self._tally.asked >= self._limits.max_queries else (_State.ASKED, _State.HEARD)
        return not any(candidate.state in awaited for candidate in self._front())

    @property
    def asked(self) -> int:
        """How many peers were asked."""
        return self._tally.asked

    @property
    def stalled(self) -> list[PeerId]:
        """The peers that were asked longer ago than a stall and have neither answered nor failed."""
        return [candidate.peer for candidate in self._order if candidate.state is _State.STALLED]

    @property
    def heard(self) -> int:
        """How many different peers were heard of, the seeds and the dead among them."""
        return self._tally.heard

    @property
    def saw_everyone(self) -> bool:
        """Whether the peers heard of are no more than k, so that every peer of the network is among them.

        Peers answer with the k closest they know; while the union of all answers stays within k, no answer was cut off.
        """
        return self.finished and not self._stopped and not self.dropped and self._tally.heard <= self._limits.k

    @property
    def dropped(self) -> bool:
        """Whether peers were left out, of a long answer or for want of room."""
        return self._tally.dropped

    @property
    def stopped(self) -> bool:
        """Whether it was ended by `stop`."""
        return self._stopped

    def closest(self, count: int | None = None) -> list[PeerId]:
        """The up to `count` (default k) closest peers that answered, nearest first."""
        wanted = self._limits.k if count is None else count
        answered = (candidate.peer for candidate in self._order if candidate.state is _State.ANSWERED)
        return [peer for peer, _ in zip(answered, range(wanted), strict=False)]

    def _distance(self, peer: PeerId) -> int:
        return KadKey.of(peer.raw).value ^ self.target.value

    def _hear(self, peer: PeerId) -> bool:
        if peer == self._local or peer in self._known:
            return False
        candidate = _Candidate(self._distance(peer), peer)
        if len(self._order) >= self._limits.max_candidates and not self._make_room(candidate):
            return False
        self._known[peer] = candidate
        insort(self._order, candidate)
        self._tally.heard += 1
        return True

    def _make_room(self, newcomer: _Candidate) -> bool:
        self._tally.dropped = True
        for index in range(len(self._order) - 1, -1, -1):
            candidate = self._order[index]
            if candidate.state is _State.HEARD and candidate.distance > newcomer.distance:
                del self._order[index]
                del self._known[candidate.peer]
                return True
        return False

    def _mark_stalled(self, now: float) -> None:
        for candidate in self._order:
            if candidate.state is _State.ASKED and now >= candidate.asked_at + self._limits.stall_s:
                candidate.state = _State.STALLED

    def _front(self) -> Iterator[_Candidate]:
        """The k closest candidates that may be alive."""
        count = 0
        for candidate in self._order:
            if candidate.state in (_State.FAILED, _State.STALLED):
                continue
            yield candidate
            count += 1
            if count == self._limits.k:
                return
