"""What this node refused of others in the DHT, and why: counted, and named in the error. Decides nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum

from chiral.errors import LimitExceededError, ProtocolError, RemoteError, RequestTimeoutError, StreamResetError
from chiral.kad.server import ForeignRecordError


class Refusal(Enum):
    """Why a stream was reset."""

    STREAMS = "streams"
    RATE = "rate"
    RECORDS = "records"
    OVERSIZED = "oversized"
    FOREIGN = "foreign"
    MALFORMED = "malformed"
    IDLE = "idle"


class RefusedError(LimitExceededError):
    """A peer asked for more than it may have; `reason` says of what."""

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Refusals:
    """How often since the node began, by reason.

    `streams`: opened over the limits of a peer or in all. `rate`: over the limit of its peer for too long. `records`:
    provider records over the store's limits. `oversized`: a message, a key. `foreign`: records of somebody else.
    `malformed`: what is no DHT message, or makes none, and values that no validator takes. `idle`: sent or read nothing
    for too long. `slowed` are no refusals: messages that had to wait for their peer's rate.
    """

    streams: int = 0
    rate: int = 0
    records: int = 0
    oversized: int = 0
    foreign: int = 0
    malformed: int = 0
    idle: int = 0
    slowed: int = 0

    @property
    def total(self) -> int:
        """All refusals."""
        reasons = (self.streams, self.rate, self.records, self.oversized, self.foreign, self.malformed, self.idle)
        return sum(reasons)


class RefusalCounter:
    """Counts while the node runs."""

    def __init__(self) -> None:
        self._counts: Counter[Refusal] = Counter()
        self.slowed = 0

    def add(self, reason: Refusal, count: int = 1) -> None:
        """Something was refused."""
        self._counts[reason] += count

    def note(self, error: RemoteError) -> None:
        """A stream ended with `error`; a reset of the remote's own is nothing that was refused."""
        reason = _reason_of(error)
        if reason is not None:
            self.add(reason)

    def snapshot(self) -> Refusals:
        """The counts as they stand."""
        return Refusals(**{reason.value: self._counts[reason] for reason in Refusal}, slowed=self.slowed)


def _reason_of(error: RemoteError) -> Refusal | None:
    if isinstance(error, RefusedError):
        # Records are counted one by one where they are refused, not by the stream that brought them.
        return None if error.reason is Refusal.RECORDS else error.reason
    by_family: tuple[tuple[type[RemoteError], Refusal | None], ...] = (
        (ForeignRecordError, Refusal.FOREIGN),
        (StreamResetError, None),
        (RequestTimeoutError, Refusal.IDLE),
        (LimitExceededError, Refusal.OVERSIZED),
        (ProtocolError, Refusal.MALFORMED),
    )
    return next((reason for family, reason in by_family if isinstance(error, family)), None)
