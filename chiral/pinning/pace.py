"""How much one slice of a collection takes on and how long it rests after it, so that others have their turn. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_LEAST_BLOCKS, _MOST_BLOCKS = 16, 4096
_REST_LIMIT_S = 0.25
"""After a slice that took unusually long (a slow disk) resting as long again would help nobody."""


@dataclass(slots=True)
class Pace:
    """Aims at slices of `slice_s` seconds; `share` is the part of the time that slices may take, over 0 up to 1."""

    slice_s: float
    share: float
    blocks: int = 256
    """How many blocks the next slice looks at."""

    def took(self, seconds: float) -> float:
        """A slice of `blocks` took so long; returns how many seconds to rest."""
        if seconds > 1.5 * self.slice_s:
            self.blocks = max(_LEAST_BLOCKS, self.blocks // 2)
        elif seconds < 0.75 * self.slice_s:
            self.blocks = min(_MOST_BLOCKS, self.blocks + self.blocks // 4)
        return self.rest(seconds)

    def rest(self, seconds: float) -> float:
        """How many seconds to rest after work of so many."""
        return min(_REST_LIMIT_S, seconds * (1 - self.share) / self.share)
