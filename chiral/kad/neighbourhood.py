"""Whether the peers closest to a key have changed so much that what they were told must be told anew. Decides.

A record stands on the k peers that were closest when it was announced. Newcomers among the closest do not have it, so
whoever looks for it finds it the less surely the more of them there are.
"""

from __future__ import annotations

from collections.abc import Iterable

from chiral.interface.peer import PeerId


class Neighbourhood:
    """The up to `k` peers closest to one key, and who of them was there at the last mark.

    Compared is with the mark and not step by step: a peer that goes and comes back still has its records. After a mark
    it rests for `rest_s` seconds, which bounds what churn can cost.
    """

    def __init__(self, k: int, rest_s: float = 0.0) -> None:
        self._k = k
        self._rest_s = rest_s
        self._marked: frozenset[PeerId] = frozenset()
        self._marked_at = 0.0

    def changes(self, closest: Iterable[PeerId]) -> int:
        """How many peers came among the closest or left them since the mark; each that takes another's place is two."""
        return len(self._marked ^ frozenset(closest))

    def look(self, closest: Iterable[PeerId], now: float) -> bool:
        """Whether `closest` has changed enough since the mark and has newcomers to be told; then the mark is moved.

        Enough are k changes: half of a full neighbourhood. Of fewer than k peers as many changes as there were peers.
        The first peers of all are marked and are no change. `now` is in seconds of one clock of the caller's choice.
        """
        peers = frozenset(closest)
        if self._marked and now - self._marked_at < self._rest_s:
            return False
        changed = bool(peers - self._marked) and self.changes(peers) >= min(self._k, len(self._marked))
        first = not self._marked
        if changed:
            self._marked, self._marked_at = peers, now
        return changed and not first
