"""The bytes of one stream that have arrived and are not yet read.

A large piece is kept as a view of the decrypted message it came in; a small one is copied and joined to its
neighbours, so that neither a flood of tiny frames nor a few bytes that hold a whole message alive can cost more than
about twice what the window allows.
"""

from __future__ import annotations

from collections import deque

VIEW_MIN_BYTES = 4096
JOINED_MAX_BYTES = 16_384


class Inbox:
    """A queue of bytes. `size` is what can be read."""

    __slots__ = ("_chunks", "_offset", "size")

    def __init__(self) -> None:
        self._chunks: deque[memoryview | bytearray] = deque()
        self._offset = 0
        self.size = 0

    def append(self, message: memoryview, start: int, stop: int) -> None:
        """Add `message[start:stop]`; `message` is a view of immutable bytes."""
        count = stop - start
        chunks = self._chunks
        self.size += count
        if count >= VIEW_MIN_BYTES and count << 1 >= len(message):
            chunks.append(message[start:stop])
            return
        tail = chunks[-1] if chunks else None
        if type(tail) is bytearray and len(tail) < JOINED_MAX_BYTES:
            tail += message[start:stop]
        else:
            chunks.append(bytearray(message[start:stop]))

    def prepend(self, data: bytes) -> None:
        """Put bytes back in front: they are read next."""
        if not data:
            return
        self._cut_head()
        self._chunks.appendleft(memoryview(data))
        self.size += len(data)

    def peek(self, limit: int) -> bytes:
        """The next bytes, up to `limit`, without taking them."""
        parts: list[bytes] = []
        offset, left = self._offset, min(limit, self.size)
        for chunk in self._chunks:
            if left <= 0:
                break
            parts.append(bytes(memoryview(chunk)[offset : offset + left]))
            left -= len(parts[-1])
            offset = 0
        return b"".join(parts)

    def take(self, limit: int) -> bytes:
        """Take up to `limit` bytes; `b""` only if there are none."""
        if limit >= self.size:
            return self.take_all()
        if limit <= 0:
            return b""
        head = self._chunks[0]
        available = len(head) - self._offset
        if limit < available:
            piece = bytes(memoryview(head)[self._offset : self._offset + limit])
            self._offset += limit
            self.size -= limit
            return piece
        parts = []
        left = limit
        while left >= len(self._chunks[0]) - self._offset:
            self._cut_head()
            part = self._chunks.popleft()
            parts.append(part)
            left -= len(part)
        if left:
            parts.append(memoryview(self._chunks[0])[self._offset : self._offset + left])
        joined = b"".join(parts)
        self._offset += left
        self.size -= limit
        return joined

    def take_all(self) -> bytes:
        """Take everything, joined once."""
        chunks = self._chunks
        if not chunks:
            return b""
        self._cut_head()
        whole = bytes(chunks[0]) if len(chunks) == 1 else b"".join(chunks)
        self.clear()
        return whole

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self._offset = 0
        self.size = 0

    def _cut_head(self) -> None:
        """Make the first chunk begin where reading goes on."""
        if self._offset:
            self._chunks[0] = memoryview(self._chunks[0])[self._offset :]
            self._offset = 0
