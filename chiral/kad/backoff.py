"""Which peers failed lately and how long they are left alone. Decides; dials nobody."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from chiral.interface.peer import PeerId

MAX_PEERS = 4096


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    until: float


class Backoff:
    """Failures in a row by peer. From the second on it is left alone, each time twice as long, up to `cap_s` seconds.

    Not from the first: in a small network one hiccup must not cut off the only peer that holds a record.
    """

    def __init__(self, *, base_s: float = 1.0, cap_s: float = 3600.0) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._failures: OrderedDict[PeerId, _Failures] = OrderedDict()

    def failed(self, peer: PeerId, now: float) -> int:
        """Another failure of `peer`; returns how many there were in a row.

        Failures that follow so soon are those of questions sent together, and count once.
        """
        known = self._failures.get(peer)
        if known is not None and now < known.until:
            return known.count
        count = known.count + 1 if known is not None else 1
        wait_s = min(self._cap_s, self._base_s * 2.0 ** min(count - 1, 32))
        self._failures[peer] = _Failures(count, now + wait_s)
        self._failures.move_to_end(peer)
        while len(self._failures) > MAX_PEERS:
            self._failures.popitem(last=False)
        return count

    def succeeded(self, peer: PeerId) -> None:
        """`peer` gave a sign of life."""
        self._failures.pop(peer, None)

    def blocked(self, peer: PeerId, now: float) -> bool:
        """Whether `peer` is to be left alone at `now`."""
        known = self._failures.get(peer)
        return known is not None and known.count > 1 and now < known.until
