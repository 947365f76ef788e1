"""Reads the messages of one stream, one after another, whole and decoded."""

from __future__ import annotations

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

    @property
    def waiting(self) -> bool:
        """Whether a whole message has arrived and not been taken."""
        return self._reader.ready

    async def next(self) -> Message | None:
        """The next message, or None at the remote's clean end.

        Raises `ProtocolError` (also for an end within a message), `LimitExceededError`, `StreamResetError`.
        """
        while (frame := self._reader.next()) is None:
            data = await self._stream.read(_READ_BYTES)
            if not data:
                if self._reader.partial:
                    raise ProtocolError("DHT stream ends within a message")
                return None
            self._reader.feed(data)
        return decode_message(frame)
