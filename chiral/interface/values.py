"""The port to stored value records of the DHT (PUT_VALUE and GET_VALUE), and what is known of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from chiral.errors import RemoteError


@dataclass(frozen=True, slots=True)
class Standing:
    """What a validator learned of a valid value.

    `author` is the raw peer id of who signed it: under one key each author has a record of its own. It is empty in name
    spaces that keep one record a key. `expires_at` (Unix seconds) is when the value itself ends.
    """

    author: bytes = b""
    expires_at: float = float("inf")


@dataclass(frozen=True, slots=True)
class ValueRecord:
    """A value under its key, of one author (empty: of nobody); `received_at` and `expires_at` are Unix seconds."""

    key: bytes
    value: bytes
    received_at: float
    expires_at: float
    author: bytes = b""


@dataclass(frozen=True, slots=True)
class RecordPut:
    """What became of a put: of `asked` peers `stored` took the record, where `needed` were wanted."""

    key: bytes
    asked: int
    stored: int
    needed: int

    @property
    def reached(self) -> bool:
        """Whether as many took it as were wanted."""
        return self.stored >= self.needed


@dataclass(frozen=True, slots=True)
class RecordFound:
    """What a search for a record gave.

    `value` is the best by its validator, `others` are the different valid ones, best first; `answers` is how many held
    a valid one, this node being one of them if it does, and `needed` how many were wanted.
    """

    key: bytes
    value: bytes
    others: tuple[bytes, ...]
    answers: int
    needed: int

    @property
    def reached(self) -> bool:
        """Whether as many answered with a record as were wanted."""
        return self.answers >= self.needed


class QuorumError(RemoteError):
    """Fewer peers took a record than were wanted; it stands on those that did, and here."""

    code: ClassVar[str] = "quorum"

    put: RecordPut | None = None
    """What was reached; None where the error came over the API."""

    @classmethod
    def of(cls, put: RecordPut) -> QuorumError:
        """The error for a record that reached too few."""
        error = cls(f"{put.stored} of {put.asked} peers took the record, {put.needed} were wanted")
        error.put = put
        return error


class ValueStore(Protocol):
    """Value records that this node keeps for the swarm. Validation is the caller's."""

    async def put(self, record: ValueRecord) -> bool:
        """Keep `record` in place of the one of the same key and author; false if a limit leaves no room for it."""
        ...

    async def get(self, key: bytes, now: float) -> list[ValueRecord]:
        """The live records of `key`, one an author, the last received first."""
        ...

    async def sweep(self, now: float, limit: int = 10_000) -> int:
        """Delete up to `limit` records that expired by `now`; returns how many."""
        ...

    async def count(self) -> int: ...
