"""What a Yamux connection tells its owner after it took in bytes; of streams, only what somebody waits for."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.yamux.stream import Stream


@dataclass(frozen=True, slots=True)
class StreamArrived:
    """The peer opened a stream: `accept` has one more."""


@dataclass(frozen=True, slots=True)
class StreamReadable:
    """What a reader of the stream waited for is there: bytes, the end, or a reset."""

    stream: Stream


@dataclass(frozen=True, slots=True)
class StreamWritable:
    """A writer of the stream that waited for credit should look again: there is some, or a reset."""

    stream: Stream


@dataclass(frozen=True, slots=True)
class RoundTripMeasured:
    """A ping came back after `rtt_s` seconds."""

    rtt_s: float


@dataclass(frozen=True, slots=True)
class PeerGoingAway:
    """The peer will accept no more streams; `code` is 0 for a normal end (`GoAwayCode`)."""

    code: int


Event = StreamArrived | StreamReadable | StreamWritable | RoundTripMeasured | PeerGoingAway
