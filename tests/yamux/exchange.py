"""Two linked machines driven by arbitrary steps, with a model of what each stream carried."""

from __future__ import annotations

from chiral.yamux.connection import Connection
from chiral.yamux.limits import YamuxLimits
from chiral.yamux.stream import Stream
from tests.yamux.linked import Link

EVERYTHING = 1 << 30
ACTIONS = ["open", "send", "finish", "read", "carry", "accept", "reset", "tick", "abandon"]
LIMITS = YamuxLimits(max_outbound_streams=6, send_backlog_bytes=300_000, max_unread_bytes=1 << 20, ping_timeout_s=1e9)


class Exchange:
    """Drives a link by steps and remembers, for each stream and side, what was sent and what was read."""

    def __init__(self) -> None:
        self.link = Link(LIMITS)
        self.held: dict[tuple[bool, int], Stream] = {}
        self.written: dict[tuple[bool, int], bytearray] = {}
        self.read: dict[tuple[bool, int], bytearray] = {}

    def side(self, dialler: bool) -> Connection:
        return self.link.dialler if dialler else self.link.listener

    def hold(self, dialler: bool, stream: Stream | None) -> None:
        if stream is not None:
            self.held[dialler, stream.id] = stream
            self.written[dialler, stream.id] = bytearray()
            self.read[dialler, stream.id] = bytearray()

    def step(self, action: str, dialler: bool, which: int, size: int) -> None:
        machine = self.side(dialler)
        ids = [stream_id for side, stream_id in self.held if side is dialler]
        if action == "open" and machine.can_open:
            self.hold(dialler, machine.open_stream())
        elif action == "accept":
            self.hold(dialler, machine.accept())
        elif action == "carry":
            self.link.carry(machine, size)
        elif action == "tick":
            self.link.now += size / 100_000
            machine.tick(self.link.now)
        elif ids:
            self.use(action, machine, dialler, ids[which % len(ids)], size)

    def use(self, action: str, machine: Connection, dialler: bool, stream_id: int, size: int) -> None:
        stream = self.held[dialler, stream_id]
        if action == "send" and stream.reset_by is None and not stream.finishing:
            data = bytes([stream_id % 256, len(self.written[dialler, stream_id]) % 251]) * (size // 2)
            self.written[dialler, stream_id] += data[: machine.send(stream, memoryview(data))]
        elif action == "finish":
            machine.finish(stream)
        elif action == "abandon":
            machine.abandon(stream, self.link.now)
        elif action == "reset" and size < 30_000:
            machine.reset(stream)
        elif action == "read":
            self.read[dialler, stream_id] += machine.take(stream, size, self.link.now)

    def check(self) -> None:
        for (dialler, stream_id), got in self.read.items():
            sent = self.written.get((not dialler, stream_id), bytearray())
            assert sent.startswith(bytes(got))
        for machine in (self.link.dialler, self.link.listener):
            assert 0 <= machine.unread_bytes <= LIMITS.max_unread_bytes
            assert 0 <= machine.backlog_bytes <= LIMITS.send_backlog_bytes
            assert 0 <= machine.outbound_streams <= LIMITS.max_outbound_streams
            assert machine.unread_bytes == sum(stream.inbox.size for stream in machine.live_streams())
            assert machine.backlog_bytes == sum(stream.queued_bytes for stream in machine.live_streams())

    def finish(self) -> None:
        """End everything and see that each stream that was not reset arrived whole and nothing is left."""
        for _ in range(200):
            for dialler in (True, False):
                machine = self.side(dialler)
                self.hold(dialler, machine.accept())
                for (side, stream_id), stream in list(self.held.items()):
                    if side is dialler:
                        machine.finish(stream)
                        self.read[dialler, stream_id] += machine.take(stream, EVERYTHING, self.link.now)
                self.link.carry(machine)
        for (dialler, stream_id), stream in self.held.items():
            other = self.held.get((not dialler, stream_id))
            if stream.reset_by is None and not stream.abandoned:
                assert stream.remote_ended
                assert other is not None
                assert self.read[dialler, stream_id] == self.written[not dialler, stream_id]
        for machine in (self.link.dialler, self.link.listener):
            assert machine.live_streams() == []
            assert machine.unread_bytes == machine.backlog_bytes == machine.unacknowledged_streams == 0
