"""When a key's turn comes: republishing spread evenly over the interval by the key's place on the ring. Pure.

The ring is cut into slots, and a hand passes over all of them once in an interval. All keys of a slot have their turn
at once, so that they share lookups; the slots follow each other evenly, so that the load does. Where the hand stands
at time 0 differs from node to node, or all nodes of a swarm would burden the same peers at the same time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from chiral.interface.peer import PeerId
from chiral.kad.key import KEY_BITS, KadKey

POSITION_BITS = 64
"""A position is the first bits of a key's point: enough to tell a node's own keys apart."""
_SLOT_BITS = 5


@dataclass(frozen=True, slots=True)
class Schedule:
    """Turns every `interval_s` seconds; `local` is the node's own position, which sets the phase."""

    interval_s: float
    local: int = 0

    @classmethod
    def of_node(cls, interval_s: float, peer: PeerId) -> Schedule:
        """The schedule of `peer`'s own keys."""
        return cls(interval_s, KadKey.of(peer.raw).value >> (KEY_BITS - POSITION_BITS))

    @property
    def slot_s(self) -> float:
        """How long the hand stays in one slot."""
        return self.interval_s / (1 << _SLOT_BITS)

    def next_turn(self, position: int, announced_at: float) -> float:
        """When a key at `position`, last announced at `announced_at`, is to be announced again; Unix seconds.

        More than one slot and at most an interval and one slot later, so that a key announced a moment before its turn
        does not have it at once.
        """
        slot = position >> (POSITION_BITS - _SLOT_BITS)
        phase_s = (slot / (1 << _SLOT_BITS) + self.local / (1 << POSITION_BITS)) * self.interval_s
        earliest = announced_at + self.slot_s
        turns = math.floor((earliest - phase_s) / self.interval_s) + 1
        return phase_s + turns * self.interval_s
