"""Drives a real lookup in virtual time, as a node's adapter drives it in real time, and counts what it took."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chiral.interface.peer import PeerId
from chiral.kad.disjoint import AnyLookup, DisjointLookup
from chiral.kad.key import KadKey
from chiral.kad.lookup import Lookup
from chiral.kad.messages import Message
from tests.simulation.conditions import Conditions
from tests.simulation.engine import Engine
from tests.simulation.network import Network
from tests.simulation.node import Node
from tests.simulation.population import Peer, Population

_SEED_FACTOR = 4
"""A real node begins with so many times k of its table."""
OnAnswer = Callable[[Message], bool]


@dataclass(frozen=True, slots=True)
class Stage:
    """What a lookup runs on."""

    engine: Engine
    network: Network
    population: Population
    conditions: Conditions


class Seek:
    """One lookup of `node` over `paths` disjoint paths. `on_answer` ends it by returning true; `on_end` is told."""

    def __init__(
        self,
        stage: Stage,
        node: Node,
        request: Message,
        *,
        on_end: Callable[[Seek], None] | None = None,
        on_answer: OnAnswer | None = None,
        seeds: Iterable[Peer] = (),
        paths: int | None = None,
    ) -> None:
        self._stage = stage
        self._node = node
        self._request = request
        self._on_end = on_end
        self._on_answer = on_answer
        self.target = KadKey.of(request.key)
        self.started_at = stage.engine.now
        self.ended_at: float | None = None
        start = [*node.table.closest(self.target, _SEED_FACTOR * stage.conditions.k), *seeds]
        self.lookup = self._new_lookup(start, paths or stage.conditions.paths)
        self._depths: dict[PeerId, int] = dict.fromkeys(start, 1)
        self._desperate = all(self._blocked(peer) for peer in start)
        self._wake_at: float | None = None
        node.table.touch(self.target, self.started_at)

    def start(self) -> None:
        """Begin now."""
        self._stage.engine.after(self._stage.conditions.query_timeout_s, self._end)
        self._step()

    @property
    def seconds(self) -> float:
        """How long it took, in virtual seconds."""
        assert self.ended_at is not None, "the lookup is still under way"
        return self.ended_at - self.started_at

    @property
    def hops(self) -> int:
        """The length of the chain by which the closest peer that answered was first heard of.

        A peer of the node's own table is one hop away; a peer first heard of from one that is n away is n + 1 away.
        """
        closest = self.lookup.closest(1)
        return self._depths[closest[0]] if closest else 0

    @property
    def found(self) -> list[Peer]:
        """The k closest that answered, nearest first."""
        return [peer for peer in self.lookup.closest() if isinstance(peer, Peer)]

    def _new_lookup(self, start: list[PeerId], paths: int) -> AnyLookup:
        local, limits = self._node.peer, self._stage.conditions.lookup
        if paths == 1:
            return Lookup(self.target, start, local=local, limits=limits)
        return DisjointLookup(self.target, start, local=local, paths=paths, limits=limits)

    def _blocked(self, peer: PeerId) -> bool:
        return isinstance(peer, Peer) and self._node.blocked(peer, self._stage.engine.now)

    def _step(self) -> None:
        engine, lookup = self._stage.engine, self.lookup
        passed_over = True
        while passed_over and not lookup.finished:
            passed_over = False
            for peer in lookup.next_queries(engine.now):
                if self._blocked(peer) and not self._desperate:
                    lookup.failed(peer)
                    passed_over = True
                else:
                    self._ask(peer)
        if lookup.finished or not self._node.alive:
            self._end()
            return
        stall_at = lookup.next_stall()
        if stall_at is not None and (self._wake_at is None or self._wake_at <= engine.now or stall_at < self._wake_at):
            self._wake_at = stall_at
            engine.at(stall_at, self._wake)

    def _wake(self) -> None:
        if self.ended_at is None:
            self._wake_at = None
            self._step()

    def _ask(self, peer: PeerId) -> None:
        assert isinstance(peer, Peer)

        def reply(message: Message | None) -> None:
            if self.ended_at is None and message is not None:
                self._take(peer, message)
                self._step()

        def fail() -> None:
            if self.ended_at is None:
                self.lookup.failed(peer)
                self._node.failed(peer, self._stage.engine.now)
                self._step()

        self._stage.network.request(self._node, peer, self._request, reply, fail)

    def _take(self, peer: Peer, message: Message) -> None:
        self._stage.network.observed(self._node, peer)
        named = self._stage.population.named
        depth = self._depths[peer] + 1
        for other in self.lookup.answered(peer, [named(entry.id) for entry in message.closer]):
            self._depths.setdefault(other, depth)
        if self._on_answer is not None and self._on_answer(message):
            self.lookup.stop()

    def _end(self) -> None:
        if self.ended_at is not None:
            return
        self.ended_at = self._stage.engine.now
        self.lookup.stop()
        for peer in self.lookup.stalled:
            if isinstance(peer, Peer):
                self._node.failed(peer, self.ended_at)
        if self._on_end is not None:
            self._on_end(self)
