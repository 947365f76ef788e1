"""How much of what was added was new, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chiral.cli.printing import size_text


@dataclass(slots=True)
class Novelty:
    """Counts what is added, one answer of the API after another."""

    added: int = 0
    known: int = 0
    size: int = 0
    new_bytes: int = 0

    def count(self, answer: Any) -> None:
        """Something was added."""
        self.added += 1
        self.known += answer["known"]
        self.size += answer["size"]
        self.new_bytes += answer["new_bytes"]

    @property
    def text(self) -> str:
        """All of it on a line; empty where there is nothing to tell."""
        if not self.added or (not self.size and not self.known):
            return ""
        new = f"{size_text(self.new_bytes)} new" if self.new_bytes else "nothing new"
        if self.known == self.added:
            return "already here" if not self.new_bytes else f"already here, {size_text(self.new_bytes)} of it restored"
        parts = [new if self.new_bytes == self.size else f"{new} of {size_text(self.size)}"]
        if self.known:
            parts.append(f"{self.known} of {self.added} already here")
        return ", ".join(parts)
