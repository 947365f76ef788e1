"""Reads the messages of one stream, one after another, whole and decoded."""

from __future__ import annotations

from collections import deque

from chiral.errors import ProtocolError
from chiral.interface.streams import Stream
from chiral.kad.framing import FrameReader
from chiral.kad.messages import Message, decode_message

_READ_BYTES = 65_536


class Inbox:
    """Messages that arrive on `stream`. The caller sets the deadlines."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._reader = FrameReader()
        self._frames: deque[bytes] = deque()

    @property
    def waiting(self) -> bool:
        """Whether a whole message has arrived and not been taken."""
        return bool(self._frames)

    async def next(self) -> Message | None:
        """The next message, or None at the remote's clean end.

        Raises `ProtocolError` (also for an end within a message), `LimitExceededError`, `StreamResetError`.
        """
        while not self._frames:
            data = await self._stream.read(_READ_BYTES)
            if not data:
                if self._reader.partial:
                    raise ProtocolError("DHT stream ends within a message")
                return None
            self._frames += self._reader.feed(data)
        return decode_message(self._frames.popleft())
