"""How far a collection has come and what it came to, and the form in which that outlives the process. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Literal, Self

Phase = Literal["marking", "sweeping", "done"]
_PHASES: tuple[Phase, ...] = ("marking", "sweeping", "done")


@dataclass(frozen=True, slots=True)
class CollectionProgress:
    """One collection. Times in Unix seconds, sizes in bytes; `blocks` were held when it began.

    Of a dry run `freed_*` is what a real one would free. Up to the multihash `position` blocks were swept.
    """

    phase: Phase
    dry_run: bool
    started_at: float
    blocks: int = 0
    marked: int = 0
    examined: int = 0
    freed_blocks: int = 0
    freed_bytes: int = 0
    position: bytes = b""
    resumed: bool = False
    """It went on with what a collection before it, cut short, had left."""
    finished_at: float = 0.0
    held_bytes: int = 0
    """What is held after it."""

    def freed(self, position: bytes, blocks: int, size_bytes: int) -> Self:
        """The same, swept up to `position`."""
        return replace(
            self,
            position=position,
            freed_blocks=self.freed_blocks + blocks,
            freed_bytes=self.freed_bytes + size_bytes,
        )

    @property
    def seconds(self) -> float:
        """How long it took, 0 while it goes on; a pause between two runs of the node counts."""
        return max(0.0, self.finished_at - self.started_at) if self.phase == "done" else 0.0

    def to_json(self) -> bytes:
        return json.dumps({**asdict(self), "position": self.position.hex()}, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self | None:
        """What `to_json` gave; None for anything else, because what is lost with it is only where to go on."""
        try:
            fields = json.loads(data)
            fields["position"] = bytes.fromhex(fields["position"])
            found = cls(**fields)
        except (ValueError, TypeError, KeyError):
            return None
        return found if found.phase in _PHASES else None
