"""Cuts a stream of bytes into Yamux headers and pieces of payload; it keeps no payload and knows no streams."""

from __future__ import annotations

from typing import Protocol

from chiral.yamux.frame import DATA, HEADER, HEADER_BYTES, VERSION, YamuxError


class FrameSink(Protocol):
    """Who is told of what was read. Either may raise `YamuxError`."""

    def take_header(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        """A header was read; if it is of a DATA frame, `length` bytes of payload follow."""
        ...

    def take_payload(self, message: memoryview, start: int, stop: int, left: int) -> None:
        """`message[start:stop]` is the next piece of the payload, and `left` bytes of it are still to come."""
        ...


class FrameReader:
    """Reads frames that may be cut anywhere. `frames` counts the headers."""

    __slots__ = ("_left", "_part", "_sink", "frames")

    def __init__(self, sink: FrameSink) -> None:
        self._sink = sink
        self._part = b""
        self._left = 0
        self.frames = 0

    def read(self, data: bytes) -> None:
        """Take in the next bytes. Raises `YamuxError` for another version of Yamux, and what the sink raises."""
        if self._part:
            data = self._part + data
            self._part = b""
        sink, view = self._sink, memoryview(data)
        position, end, left = 0, len(data), self._left
        while position < end:
            if left:
                stop = position + left if left < end - position else end
                left -= stop - position
                sink.take_payload(view, position, stop, left)
                position = stop
                continue
            body = position + HEADER_BYTES
            if body > end:
                self._part = data[position:]
                break
            version, kind, flags, stream_id, length = HEADER.unpack_from(data, position)
            if version != VERSION:
                raise YamuxError(f"the peer sent a frame of Yamux version {version}")
            self.frames += 1
            sink.take_header(kind, flags, stream_id, length)
            if kind == DATA:
                left = length
            position = body
        self._left = left
