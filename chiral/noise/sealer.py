"""The sending half of the Noise data phase: plaintext messages in, frames out, many to one send.

Messages are sealed one behind the other into one buffer that the machine owns; the caller sends `sealed()` whole and
then calls `clear()`. Plaintext is given as bytes (`seal`) or written in place (`writable`, `wrote`). Buffers grow with
use and `relax` gives them back.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from chiral.noise.frame import (
    LENGTH_BYTES,
    MAX_PLAINTEXT_BYTES,
    MAX_WIRE_BYTES,
    NONCE_LIMIT,
    TAG_BYTES,
    NonceExhaustedError,
)

IDLE_BUFFER_BYTES = 1024
FULL_BUFFER_MESSAGES = 4


class Sealer:
    """Seals the frames of one direction of one connection.

    `key` is the 32-byte cipher key of the finished handshake and `counter` the nonce of the next message.
    """

    __slots__ = ("_buffer", "_cipher", "_counter", "_limit_bytes", "_plain", "_stop", "_view")

    def __init__(self, key: bytes, counter: int = 0, *, buffer_messages: int = FULL_BUFFER_MESSAGES) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._counter = counter
        self._limit_bytes = buffer_messages * MAX_WIRE_BYTES
        self._buffer = bytearray(IDLE_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._plain = memoryview(bytearray(IDLE_BUFFER_BYTES))
        self._stop = 0

    @property
    def counter(self) -> int:
        """The nonce of the next message."""
        return self._counter

    @property
    def capacity_bytes(self) -> int:
        return len(self._buffer) + len(self._plain)

    @property
    def has_room(self) -> bool:
        """Whether a message of any length can be sealed before the next `clear`."""
        return self._limit_bytes - self._stop >= MAX_WIRE_BYTES

    def writable(self) -> memoryview:
        """Where the next plaintext may be written, at least 1 KiB; of full length once a message has filled it."""
        return self._plain

    def wrote(self, count: int) -> None:
        """Append one frame of the first `count` bytes of `writable()`; raises as `seal` does."""
        plain = self._plain
        self.seal(plain[:count])
        if count << 1 > len(plain) and len(plain) < MAX_PLAINTEXT_BYTES:
            self._plain = memoryview(bytearray(MAX_PLAINTEXT_BYTES))

    def seal(self, plaintext: bytes | bytearray | memoryview) -> None:
        """Append one frame of `plaintext`, 0 to 65,519 bytes.

        Raises `ValueError` for a longer one or when the buffer has no room, `NonceExhaustedError`.
        """
        size = len(plaintext) + TAG_BYTES
        start = self._stop
        body = start + LENGTH_BYTES
        stop = body + size
        if size > MAX_PLAINTEXT_BYTES + TAG_BYTES:
            raise ValueError(f"a Noise message holds {MAX_PLAINTEXT_BYTES} bytes, not {len(plaintext)}")
        if self._counter >= NONCE_LIMIT:
            raise NonceExhaustedError("as many Noise messages were sent as one key allows")
        if stop > len(self._buffer):
            self._grow(stop)
        self._buffer[start] = size >> 8
        self._buffer[start + 1] = size & 0xFF
        nonce = b"\0\0\0\0" + self._counter.to_bytes(8, "little")
        self._cipher.encrypt_into(nonce, plaintext, None, self._view[body:stop])
        self._counter += 1
        self._stop = stop

    def sealed(self) -> memoryview:
        """The frames sealed since the last `clear`, as one piece; valid until the next call of any other method."""
        return self._view[: self._stop]

    def clear(self) -> None:
        """The frames in `sealed()` have been sent."""
        self._stop = 0

    def relax(self) -> None:
        """Give grown buffers back while the connection is quiet."""
        if not self._stop and self.capacity_bytes > 2 * IDLE_BUFFER_BYTES:
            self._buffer = bytearray(IDLE_BUFFER_BYTES)
            self._view = memoryview(self._buffer)
            self._plain = memoryview(bytearray(IDLE_BUFFER_BYTES))

    def _grow(self, needed: int) -> None:
        if needed > self._limit_bytes:
            raise ValueError("no room for another Noise message: send and clear the ones that are sealed")
        size = min(max(needed, 2 * len(self._buffer)), self._limit_bytes)
        grown = bytearray(size)
        grown[: self._stop] = self._view[: self._stop]
        self._buffer = grown
        self._view = memoryview(grown)
