"""The receiving half of the Noise data phase: ciphertext in, plaintext messages out.

The machine owns the buffer that the transport receives into: the caller fills `writable()`, tells `wrote(count)`, then
drains the messages that are whole. Nothing is copied but the tail of an unfinished frame.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from chiral.noise.frame import (
    LENGTH_BYTES,
    MAX_WIRE_BYTES,
    NONCE_LIMIT,
    TAG_BYTES,
    NoiseError,
    NonceExhaustedError,
)

IDLE_BUFFER_BYTES = 4096
"""What the buffer of a quiet connection takes: hundreds of them must cost little."""
FULL_BUFFER_BYTES = 4 * MAX_WIRE_BYTES
"""What the buffer of a busy connection grows to: several whole frames a wake-up."""
DRAIN_MESSAGES = 64


class Opener:
    """Opens the frames of one direction of one connection.

    `key` is the 32-byte cipher key of the finished handshake and `counter` the nonce of the next message. The buffer
    starts small, doubles each time a receive fills it, up to `buffer_bytes`, and `relax` gives it back.
    """

    __slots__ = ("_buffer", "_cipher", "_counter", "_limit_bytes", "_start", "_stop", "_view")

    def __init__(self, key: bytes, counter: int = 0, *, buffer_bytes: int = FULL_BUFFER_BYTES) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._counter = counter
        self._limit_bytes = max(buffer_bytes, MAX_WIRE_BYTES)
        self._buffer = bytearray(IDLE_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._stop = 0

    @property
    def counter(self) -> int:
        """The nonce of the next message."""
        return self._counter

    @property
    def buffered_bytes(self) -> int:
        """Bytes received and not yet opened: at the transport's end, anything but zero means a frame cut short."""
        return self._stop - self._start

    @property
    def capacity_bytes(self) -> int:
        return len(self._buffer)

    def writable(self) -> memoryview:
        """Where the transport puts what it receives next; never empty. Valid until the next call of any method."""
        start, stop, size = self._start, self._stop, len(self._buffer)
        if start == stop:
            self._start = self._stop = 0
        elif start and size - stop < size // 2:
            self._view[: stop - start] = self._view[start:stop]
            self._start, self._stop = 0, stop - start
        if self._stop == size:
            self._resize(min(max(2 * size, IDLE_BUFFER_BYTES), self._limit_bytes))
        return self._view[self._stop :]

    def wrote(self, count: int) -> None:
        """`count` bytes were put at the beginning of `writable()`."""
        self._stop += count
        size = len(self._buffer)
        if self._stop == size and size < self._limit_bytes:
            self._resize(min(2 * size, self._limit_bytes))

    def feed(self, data: bytes) -> int:
        """Take ciphertext that comes as bytes, from a transport that cannot receive into a buffer.

        Returns how much of it there was room for, beside what is still unopened: the rest is for after `drain`.
        """
        unopened = self._stop - self._start
        taken = min(len(data), self._limit_bytes - unopened)
        if self._stop + taken > len(self._buffer):
            self._resize(max(unopened + taken, len(self._buffer)))
        self._view[self._stop : self._stop + taken] = data[:taken]
        self._stop += taken
        return taken

    def drain(self, limit: int = DRAIN_MESSAGES) -> list[bytes]:
        """Up to `limit` whole messages, decrypted, in order; an empty list when more ciphertext is needed.

        Raises `NoiseError` for a frame shorter than its tag or one that does not authenticate, `NonceExhaustedError`.
        """
        messages: list[bytes] = []
        buffer, view, cipher = self._buffer, self._view, self._cipher
        start, stop, counter = self._start, self._stop, self._counter
        while stop - start >= LENGTH_BYTES and len(messages) < limit:
            length = buffer[start] << 8 | buffer[start + 1]
            body = start + LENGTH_BYTES
            if length < TAG_BYTES:
                raise NoiseError(f"a Noise frame of {length} bytes is shorter than its tag")
            if stop - body < length:
                break
            if counter >= NONCE_LIMIT:
                raise NonceExhaustedError("the peer sent more Noise messages than one key allows")
            start = body + length
            try:
                messages.append(cipher.decrypt(b"\0\0\0\0" + counter.to_bytes(8, "little"), view[body:start], None))
            except InvalidTag:
                raise NoiseError("a Noise frame does not authenticate") from None
            counter += 1
        self._start, self._counter = start, counter
        return messages

    def relax(self) -> None:
        """Give a grown buffer back while the connection is quiet."""
        if self._start == self._stop and len(self._buffer) > IDLE_BUFFER_BYTES:
            self._resize(IDLE_BUFFER_BYTES)

    def _resize(self, size: int) -> None:
        """Move the unopened bytes to the beginning of a buffer of `size` bytes: the same one if it has that size."""
        start, count = self._start, self._stop - self._start
        view = self._view
        if size != len(self._buffer):
            self._buffer = bytearray(size)
            self._view = memoryview(self._buffer)
        if count:
            self._view[:count] = view[start : start + count]
        self._start, self._stop = 0, count
