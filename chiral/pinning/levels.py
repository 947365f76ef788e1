"""When a collection is due and when it has done enough, by how full the store is. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Levels:
    """Bytes of blocks: at `high` or more a collection begins, at `low` or less it may end. 0 as `high`: never by level.

    `interval_s`: one begins that long after the last one ended too; 0: never by time.
    """

    high: int = 0
    low: int = 0
    interval_s: float = 0.0

    @classmethod
    def of(
        cls,
        *,
        high_bytes: int,
        low_bytes: int,
        high_share: float,
        low_share: float,
        quota_bytes: int,
        interval_s: float,
    ) -> Levels:
        """From marks in bytes, or, where these are 0, as shares of a quota; without a quota shares say nothing."""
        high = high_bytes or int(high_share * quota_bytes)
        low = low_bytes or int(low_share * quota_bytes)
        return cls(high, min(low, high), interval_s)

    @property
    def off(self) -> bool:
        """Whether no collection ever begins by itself."""
        return not self.high and not self.interval_s

    def due(self, held: int, *, since_last_s: float, left_by_last: int | None) -> bool:
        """Whether one should begin with `held` bytes here and `since_last_s` seconds since the last one ended.

        `left_by_last` is what that one left, None if there was none. Where it could not get below the high mark, the
        next waits until something was added: what is kept does not become less by looking at it again.
        """
        if self.interval_s and since_last_s >= self.interval_s:
            return True
        if not self.high or held < self.high:
            return False
        return left_by_last is None or left_by_last < self.high or held > left_by_last

    def enough(self, held: int) -> bool:
        """Whether a collection that began by level may end."""
        return held <= self.low
