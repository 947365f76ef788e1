"""Messages on a stream: each behind its length as an unsigned varint. Bytes in, frames out.

Source: libp2p kad-dht specification, "RPC messages".
"""

from __future__ import annotations

from chiral.block.varint import MAX_VARINT_BYTES, VarintError, decode_varint, encode_varint
from chiral.errors import LimitExceededError, ProtocolError
from chiral.kad.messages import MAX_MESSAGE_BYTES, MAX_READ_BYTES, Message, encode_message
from chiral.kad.trim import trim


def frame(data: bytes) -> bytes:
    """`data` behind its length."""
    return encode_varint(len(data)) + data


def frame_message(message: Message) -> bytes:
    """The message as it goes on a stream, trimmed to what every peer takes; raises `LimitExceededError` as `trim`."""
    data = encode_message(message)
    return frame(data if len(data) <= MAX_MESSAGE_BYTES else encode_message(trim(message)))


class FrameReader:
    """Cuts what arrives into frames of at most `limit_bytes`. Give it more only when `next` has nothing left."""

    def __init__(self, limit_bytes: int = MAX_READ_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._at = 0

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and not ended; false once `next` took the last whole one."""
        return self._at < len(self._buffer)

    @property
    def ready(self) -> bool:
        """Whether `next` will give a frame."""
        try:
            return self._bounds() is not None
        except (ProtocolError, LimitExceededError):
            return False

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        del self._buffer[: self._at]
        self._at = 0
        self._buffer += data

    def next(self) -> bytes | None:
        """The next whole frame, or None until more arrives; raises `ProtocolError`, `LimitExceededError`."""
        bounds = self._bounds()
        if bounds is None:
            return None
        start, self._at = bounds
        return bytes(self._buffer[start : self._at])

    def _bounds(self) -> tuple[int, int] | None:
        """Where the next frame begins and ends, if it has arrived whole."""
        head = bytes(self._buffer[self._at : self._at + MAX_VARINT_BYTES])
        try:
            length, size = decode_varint(head)
        except VarintError as error:
            if len(head) < MAX_VARINT_BYTES and all(byte >= 0x80 for byte in head):
                return None
            raise ProtocolError(f"malformed DHT frame length: {error}") from error
        if length > self._limit_bytes:
            raise LimitExceededError(f"DHT message of {length} bytes is over {self._limit_bytes}")
        start = self._at + size
        return (start, start + length) if start + length <= len(self._buffer) else None
