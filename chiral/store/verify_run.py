"""One run of checking all blocks: what was asked, how far it has come and what it found, and its stored form. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

from chiral.errors import StoreError

State = Literal["never", "running", "done", "stopped", "failed"]
MAX_NAMED = 1000
"""Damaged blocks named in a run's record; all are in the quarantine."""


@dataclass(frozen=True, slots=True)
class VerifyRun:
    """Counts, sizes in bytes and times in Unix seconds; `rate_bytes` a second, and whether what is damaged is repaired.

    `position` is the multihash checked last, in hexadecimal digits; `resumed` says that a restart lies in between.
    """

    state: State = "never"
    rate_bytes: int = 0
    repair: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0
    resumed: bool = False
    position: str = ""
    blocks: int = 0
    size_bytes: int = 0
    total_blocks: int = 0
    total_bytes: int = 0
    damaged: int = 0
    repaired: int = 0
    unverifiable: int = 0
    names: tuple[str, ...] = ()
    error: str = ""

    def with_damage(self, names: list[str]) -> VerifyRun:
        """This run with more blocks found damaged."""
        return replace(self, damaged=self.damaged + len(names), names=(*self.names, *names)[:MAX_NAMED])

    def encode(self) -> bytes:
        """The stored form."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> VerifyRun:
        """The run stored as `data`; raises `StoreError` if it is none."""
        try:
            fields = json.loads(data)
            fields["names"] = tuple(fields["names"])
            run = cls(**fields)
            bytes.fromhex(run.position)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError("the record of the last verification cannot be read") from error
        return run
