"""The kinds of peers a swarm is made of, and what each is built with."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """A peer's implementation; the value is what tables and options call it."""

    PYTHON = "python"
    RUST_054 = "rust-0.54"
    RUST_NEWEST = "rust-newest"
    GO = "go"

    @property
    def tool(self) -> str:
        """The program that builds this kind; empty for Python, which is run as it is."""
        return {Kind.PYTHON: "", Kind.GO: "go"}.get(self, "cargo")


BUILT = (Kind.RUST_054, Kind.RUST_NEWEST, Kind.GO)
