"""Pieces of one fixed size, the last one shorter; an empty stream has none."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.errors import UsageError

DEFAULT_CHUNK_BYTES = 256 << 10
MIN_CHUNK_BYTES = 1 << 10
MAX_CHUNK_BYTES = 2 << 20
"""The most that one block may have on the wire."""


@dataclass(frozen=True, slots=True)
class FixedChunker:
    """Cuts every `size` bytes; raises `UsageError` unless that is 1 KiB to 2 MiB."""

    size: int = DEFAULT_CHUNK_BYTES

    def __post_init__(self) -> None:
        if not MIN_CHUNK_BYTES <= self.size <= MAX_CHUNK_BYTES:
            raise UsageError(
                f"chunk size of {self.size} bytes is out of range", hint=f"{MIN_CHUNK_BYTES} to {MAX_CHUNK_BYTES} work"
            )

    @property
    def name(self) -> str:
        return f"size-{self.size}"

    def for_size(self, size: int | None) -> FixedChunker:
        return self

    def splitter(self) -> FixedSplitter:
        return FixedSplitter(self.size)


class FixedSplitter:
    """Cuts one stream every `size` bytes. Fed `bytes` of exactly that size, it hands them on without copying."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rest = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        if not self._rest and len(data) == self._size and isinstance(data, bytes):
            return [data]
        pieces: list[bytes] = []
        with memoryview(data).cast("B") as view:
            at = 0
            if self._rest:
                at = self._size - len(self._rest)
                self._rest += view[:at]
                if len(self._rest) < self._size:
                    return pieces
                pieces.append(bytes(self._rest))
                self._rest.clear()
            end = at + (len(view) - at) // self._size * self._size
            pieces += [bytes(view[start : start + self._size]) for start in range(at, end, self._size)]
            self._rest += view[end:]
        return pieces

    def finish(self) -> list[bytes]:
        last = [bytes(self._rest)] if self._rest else []
        self._rest.clear()
        return last
