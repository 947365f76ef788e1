"""What every splitter promises: bytes pushed in, pieces out, the same however the bytes arrive."""

from __future__ import annotations

from typing import Protocol


class Splitter(Protocol):
    """Cuts one stream. Holds less than one piece between calls, whatever the stream's length."""

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """The pieces that are whole now. `data` may be reused by the caller afterwards."""
        ...

    def finish(self) -> list[bytes]:
        """What is left at the end of the stream: one last piece, or none. The splitter is then as new."""
        ...


class Chunker(Protocol):
    """A rule for cutting streams."""

    @property
    def name(self) -> str:
        """The rule in the registry's form, for example `size-262144`."""
        ...

    def for_size(self, size: int | None) -> Chunker:
        """The rule for a file of `size` bytes, None where that is not known: itself unless it depends on the size."""
        ...

    def splitter(self) -> Splitter:
        """A splitter for one stream."""
        ...
