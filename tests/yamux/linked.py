"""Two Yamux machines joined by a wire that the test cuts as it likes."""

from __future__ import annotations

from collections.abc import Iterator

from chiral.yamux.connection import Connection
from chiral.yamux.events import Event
from chiral.yamux.frame import HEADER, header
from chiral.yamux.limits import YamuxLimits

MESSAGE_BYTES = 65_519


def connection(*, initiator: bool = False, now: float = 0.0, limits: YamuxLimits | None = None) -> Connection:
    return Connection(initiator=initiator, now=now, limits=limits)


def output(machine: Connection, message_bytes: int = MESSAGE_BYTES) -> list[bytes]:
    """All messages that the machine has to send."""
    room = memoryview(bytearray(message_bytes))
    messages = []
    while machine.has_output:
        messages.append(bytes(room[: machine.fill(room)]))
    return messages


def frames(data: bytes) -> Iterator[tuple[int, int, int, bytes | int]]:
    """(type, flags, stream id, payload or length) of each frame in `data`."""
    while data:
        version, kind, flags, stream_id, length = HEADER.unpack_from(data)
        assert version == 0
        data = data[12:]
        if kind == 0:
            assert len(data) >= length
            yield kind, flags, stream_id, data[:length]
            data = data[length:]
        else:
            yield kind, flags, stream_id, length


def sent(machine: Connection) -> list[tuple[int, int, int, bytes | int]]:
    """The frames that the machine has to send, read back."""
    return list(frames(b"".join(output(machine))))


def data_frame(stream_id: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return header(0, flags, stream_id, len(payload)) + payload


class Link:
    """`dialler` and `listener`, and the bytes under way between them."""

    def __init__(self, limits: YamuxLimits | None = None) -> None:
        self.dialler = connection(initiator=True, limits=limits)
        self.listener = connection(initiator=False, limits=limits)
        self.now = 0.0

    def carry(self, source: Connection, cut: int = 1 << 30) -> list[Event]:
        """Bring all that `source` has to send to the other side, in pieces of at most `cut` bytes."""
        target = self.listener if source is self.dialler else self.dialler
        events: list[Event] = []
        for message in output(source):
            for start in range(0, len(message), cut):
                events += target.receive(message[start : start + cut], self.now)
        return events

    def settle(self) -> None:
        """Carry both ways until nobody has anything to say."""
        while self.dialler.has_output or self.listener.has_output:
            self.carry(self.dialler)
            self.carry(self.listener)
