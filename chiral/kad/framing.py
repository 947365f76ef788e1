"""Messages on a stream: each behind its length as an unsigned varint. Bytes in, frames out.

Source: libp2p kad-dht specification, "RPC messages".
"""

from __future__ import annotations

from chiral.block.varint import MAX_VARINT_BYTES, VarintError, decode_varint, encode_varint
from chiral.errors import LimitExceededError, ProtocolError
from chiral.kad.messages import MAX_READ_BYTES, Message, encode_message
from chiral.kad.trim import trim


def frame(data: bytes) -> bytes:
    """`data` behind its length."""
    return encode_varint(len(data)) + data


def frame_message(message: Message) -> bytes:
    """The message as it goes on a stream, trimmed to what every peer takes; raises `LimitExceededError` as `trim`."""
    return frame(encode_message(trim(message)))


class FrameReader:
    """Cuts what arrives into frames of at most `limit_bytes`; holds no more than one incomplete frame."""

    def __init__(self, limit_bytes: int = MAX_READ_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, in order; raises `ProtocolError`, `LimitExceededError`."""
        self._buffer += data
        frames: list[bytes] = []
        at = 0
        while True:
            start, end = self._next(at)
            if end > len(self._buffer) or start == at:
                break
            frames.append(bytes(self._buffer[start:end]))
            at = end
        del self._buffer[:at]
        return frames

    def _next(self, at: int) -> tuple[int, int]:
        """Where the frame at `at` begins and ends; begins at `at` itself while its length has not all arrived."""
        head = bytes(self._buffer[at : at + MAX_VARINT_BYTES])
        try:
            length, size = decode_varint(head)
        except VarintError as error:
            if len(head) < MAX_VARINT_BYTES and all(byte >= 0x80 for byte in head):
                return at, at
            raise ProtocolError(f"malformed DHT frame length: {error}") from error
        if length > self._limit_bytes:
            raise LimitExceededError(f"DHT message of {length} bytes is over {self._limit_bytes}")
        return at + size, at + size + length
