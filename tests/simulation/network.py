"""Carries requests between nodes in virtual time: latency, loss, refused dials and silence. Decides nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import hypot

from chiral.kad.messages import Message, MessageType, encode_message
from tests.simulation.conditions import Conditions
from tests.simulation.engine import Engine
from tests.simulation.node import Node, Place
from tests.simulation.population import Peer

OnReply = Callable[[Message | None], None]
OnFail = Callable[[], None]


@dataclass(slots=True)
class Meter:
    """Requests sent, answers given, and the bytes of both where `sizes` are wanted: encoded messages, nothing else."""

    sizes: bool = False
    requests: int = 0
    answers: int = 0
    sent_bytes: int = 0
    probes: int = 0
    """How many of the requests asked a peer in doubt whether it lives."""

    def request(self, message: Message) -> None:
        self.requests += 1
        if self.sizes:
            self.sent_bytes += len(encode_message(message))

    def answer(self, message: Message | None) -> None:
        self.answers += 1
        if self.sizes and message is not None:
            self.sent_bytes += len(encode_message(message))


class Network:
    """The links between `nodes`, which it finds by their peers' numbers."""

    def __init__(self, engine: Engine, nodes: list[Node], conditions: Conditions, rng: random.Random) -> None:
        self._engine = engine
        self._nodes = nodes
        self._links = conditions.links
        self._timeout_s = conditions.request_timeout_s
        self._rng = rng
        self.meter = Meter()
        self.asks_doubted = True
        """Whether a peer in doubt is asked, as real nodes do; without, only what was begun from outside is sent."""

    def request(self, sender: Node, peer: Peer, message: Message, on_reply: OnReply, on_fail: OnFail) -> None:
        """Dial `peer`, send `message`, and call one of the two once: never later than the request time-out."""
        self.meter.request(message)
        node = self._nodes[peer.index]
        give_up = self._engine.now + self._timeout_s
        way_s = self._way(sender.place, node.place)
        if not node.alive:
            silent = self._rng.random() < self._links.silent
            self._engine.at(give_up if silent else self._engine.now + 2 * way_s, on_fail)
            return
        there_s = way_s * (2 * self._links.dial_rtts + 1)
        back_s = self._way(node.place, sender.place)
        lost = self._rng.random() < self._links.loss
        if lost or there_s + back_s > self._timeout_s:
            self._engine.at(give_up, on_fail)
            return

        def arrive() -> None:
            if not node.alive:
                self._engine.at(give_up, on_fail)
                return
            doubted = node.observe(sender.peer, self._engine.now)
            reply = node.serve(sender.peer, message)
            self.meter.answer(reply)
            self._engine.after(back_s, lambda: on_reply(reply))
            self._doubt(node, doubted)

        self._engine.after(there_s, arrive)

    def probe(self, node: Node, peer: Peer) -> None:
        """Ask `peer` for the neighbours of `node`, as a real node asks whom it doubts."""

        def lives(_: Message | None) -> None:
            self.observed(node, peer)

        def dead() -> None:
            node.evict(peer, self._engine.now)

        self.request(node, peer, Message(MessageType.FIND_NODE, node.peer.raw), lives, dead)

    def observed(self, node: Node, peer: Peer) -> None:
        """`peer` answered `node`."""
        self._doubt(node, node.observe(peer, self._engine.now))

    def _doubt(self, node: Node, peer: Peer | None) -> None:
        if peer is not None and self.asks_doubted:
            self.meter.probes += 1
            self.probe(node, peer)

    def _way(self, one: Place, other: Place) -> float:
        links = self._links
        straight = links.base_s + links.across_s * hypot(one.x - other.x, one.y - other.y)
        return straight * self._rng.lognormvariate(0.0, links.jitter_sigma) + one.access_s + other.access_s
