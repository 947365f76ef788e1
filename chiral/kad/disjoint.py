"""One lookup over several paths that share no peer: who captures one has not captured the others. Sends nothing.

Source: Baumgart and Mies, "S/Kademlia: A Practicable Approach Towards Secure Key-Based Routing" (2007), section 4.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from chiral.interface.peer import PeerId
from chiral.kad.key import KadKey
from chiral.kad.lookup import Lookup, LookupLimits

NOTHING: tuple[PeerId, ...] = ()


@dataclass(slots=True)
class _Asked:
    """A peer that one path asked: that path, the others that came upon it since, and what became of it."""

    by: Lookup
    others: list[Lookup] = field(default_factory=list)
    answered: bool | None = None


AnyLookup: TypeAlias = "Lookup | DisjointLookup"


class DisjointLookup:
    """Seeks the peers closest to `target` over up to `paths` paths; driven as a `Lookup` is.

    The seeds are dealt out by distance. A peer is asked once, by the path that came to it first: for the others its
    answer counts as one that names nobody, so that nothing it says leads them anywhere. `alpha` and the bound on
    queries are shared by the paths.
    """

    def __init__(
        self,
        target: KadKey,
        seeds: Iterable[PeerId],
        *,
        local: PeerId,
        paths: int,
        limits: LookupLimits | None = None,
    ) -> None:
        """Raises `ValueError` if `paths` is under 1."""
        if paths < 1:
            raise ValueError(f"a lookup over {paths} paths")
        limits = limits or LookupLimits()
        self.target = target
        self._k = limits.k
        nearest = sorted({peer for peer in seeds if peer != local}, key=self._distance)
        count = max(1, min(paths, len(nearest), limits.alpha))
        share = replace(
            limits,
            alpha=max(1, limits.alpha // count),
            max_queries=max(1, limits.max_queries // count),
            max_candidates=max(limits.k, limits.max_candidates // count),
        )
        self._paths = [Lookup(target, nearest[path::count], local=local, limits=share) for path in range(count)]
        self._asked: dict[PeerId, _Asked] = {}
        self._heard = set(nearest)

    def __contains__(self, peer: object) -> bool:
        """Whether `peer` has been heard of on any path."""
        return any(peer in path for path in self._paths)

    # What to do.

    def next_queries(self, now: float) -> list[PeerId]:
        """The peers to ask now; they count as asked. Empty while answers are awaited, and at the end."""
        return [peer for path in self._paths for peer in self._next_of(path, now)]

    def _next_of(self, path: Lookup, now: float) -> list[PeerId]:
        chosen: list[PeerId] = []
        while True:
            named = path.next_queries(now)
            settled = False
            for peer in named:
                asked = self._asked.get(peer)
                if asked is None:
                    self._asked[peer] = _Asked(path)
                    chosen.append(peer)
                elif asked.answered is None:
                    asked.others.append(path)
                else:
                    settled = True
                    _settle(path, peer, asked.answered)
            if not settled:
                return chosen

    def next_stall(self) -> float | None:
        """When the oldest question in flight will count as stalled; None if none is in flight."""
        stalls = [at for path in self._paths if (at := path.next_stall()) is not None]
        return min(stalls, default=None)

    def stop(self) -> None:
        """Nothing more is to be asked: what was sought has been found, or the time is up."""
        for path in self._paths:
            path.stop()

    # What happened.

    def answered(self, peer: PeerId, closer: Iterable[PeerId]) -> list[PeerId]:
        """`peer` answered with peers it thinks `closer`; returns those that were new to its path and worth keeping."""
        asked = self._asked.get(peer)
        if asked is None or asked.answered is not None:
            return []
        new = asked.by.answered(peer, closer)
        self._heard.update(new)
        self._became(peer, asked, answered=True)
        return new

    def failed(self, peer: PeerId) -> None:
        """`peer` could not be asked, or did not answer as the protocol has it."""
        asked = self._asked.get(peer)
        if asked is not None and asked.answered is None:
            asked.by.failed(peer)
            self._became(peer, asked, answered=False)

    def _became(self, peer: PeerId, asked: _Asked, *, answered: bool) -> None:
        asked.answered = answered
        for path in asked.others:
            _settle(path, peer, answered)
        asked.others.clear()

    # How it stands.

    @property
    def finished(self) -> bool:
        """Whether every path is at its end, or was stopped. A path of stalled peers does not hold up the others."""
        if any(path.stopped for path in self._paths):
            return True
        answered = any(path.closest(1) for path in self._paths)
        return all(path.spent for path in self._paths) and (answered or not self.stalled)

    @property
    def stopped(self) -> bool:
        """Whether it was ended by `stop`."""
        return any(path.stopped for path in self._paths)

    @property
    def asked(self) -> int:
        """How many peers were asked."""
        return len(self._asked)

    @property
    def stalled(self) -> list[PeerId]:
        """The peers that were asked longer ago than a stall and have neither answered nor failed."""
        return [peer for path in self._paths for peer in path.stalled if self._asked[peer].by is path]

    @property
    def heard(self) -> int:
        """How many different peers were heard of, the seeds and the dead among them."""
        return len(self._heard)

    @property
    def saw_everyone(self) -> bool:
        """Whether the peers heard of are no more than k, so that every peer of the network is among them."""
        cut = any(path.stopped or path.dropped for path in self._paths)
        return self.finished and not cut and len(self._heard) <= self._k

    def closest(self, count: int | None = None) -> list[PeerId]:
        """The up to `count` (default k) closest peers that answered, nearest first.

        Every path has its share of the places for the closest it found, and the rest goes first to those that most
        paths found: by distance alone, one captured path would fill the list with peers invented to be the closest.
        """
        wanted = self._k if count is None else count
        of_paths = [path.closest(wanted) for path in self._paths]
        share = wanted // len(of_paths)
        assured = [peer for peers in of_paths for peer in peers[:share]]
        named = Counter(peer for peers in of_paths for peer in peers)
        rest = sorted(named, key=lambda peer: (-named[peer], self._distance(peer)))
        chosen = list(dict.fromkeys([*assured, *rest]))[:wanted]
        return sorted(chosen, key=self._distance)

    def _distance(self, peer: PeerId) -> int:
        return KadKey.of(peer.raw).value ^ self.target.value


def _settle(path: Lookup, peer: PeerId, answered: bool) -> None:
    if answered:
        path.answered(peer, NOTHING)
    else:
        path.failed(peer)
