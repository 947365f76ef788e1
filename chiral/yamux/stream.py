"""The state of one Yamux stream: what it holds, what it may send, how it ends; nothing about other streams."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Any

from chiral.yamux.frame import ACK, FIN, INITIAL_WINDOW_BYTES, SYN
from chiral.yamux.inbox import Inbox
from chiral.yamux.window import ReceiveWindow, WindowBudget


class ResetBy(Enum):
    """Who ended a stream before its time."""

    REMOTE = "reset by the peer"
    LOCAL = "reset here"
    CONNECTION = "its connection died"


class Stream:
    """One stream as the connection machine sees it; its owner reads the attributes and changes only the last three.

    `remote_ended`: the peer's FIN came, with every byte before it. `reset_by`: it ended otherwise, and what was read is
    not whole. `finishing`: our FIN is asked for, `fin_sent`: and has been framed.
    """

    __slots__ = (
        "abandoned",
        "accepted",
        "ack_due",
        "acknowledged",
        "collecting",
        "fin_sent",
        "finishing",
        "handle",
        "id",
        "in_ring",
        "inbox",
        "outbound",
        "outgoing",
        "queued_bytes",
        "read_wanted",
        "remote_ended",
        "reset_by",
        "send_window",
        "syn_due",
        "window",
        "write_wanted",
    )

    def __init__(self, stream_id: int, *, outbound: bool, budget: WindowBudget) -> None:
        self.id = stream_id
        self.outbound = outbound
        self.inbox = Inbox()
        self.window = ReceiveWindow(budget)
        self.send_window = INITIAL_WINDOW_BYTES
        self.outgoing: deque[memoryview] = deque()
        self.queued_bytes = 0
        self.in_ring = False
        self.syn_due = outbound
        self.ack_due = not outbound
        self.acknowledged = not outbound
        self.accepted = outbound
        self.finishing = False
        self.fin_sent = False
        self.remote_ended = False
        self.abandoned = False
        self.collecting = False
        self.reset_by: ResetBy | None = None
        self.read_wanted = 0
        """The owner waits until this many bytes are unread, or the end, or a reset; 0 when nobody waits."""
        self.write_wanted = False
        """The owner waits for credit, or a reset."""
        self.handle: Any = None
        """Whatever the owner ties to the stream; it is dropped with the stream, so a strong way back makes a cycle."""

    @property
    def is_over(self) -> bool:
        """Neither side will send anything more."""
        return self.reset_by is not None or (self.remote_ended and self.fin_sent)

    @property
    def has_output(self) -> bool:
        """Whether a frame of the stream waits to be sent (an opening alone waits for data or a flush)."""
        return bool(self.queued_bytes) or (self.finishing and not self.fin_sent)

    def opening_flags(self) -> int:
        """SYN or ACK, once, on our first frame of the stream; remembers that it was given."""
        if self.syn_due:
            self.syn_due = False
            return SYN
        if self.ack_due:
            self.ack_due = False
            return ACK
        return 0

    def frame_flags(self, size: int) -> int:
        """The flags of the DATA frame of `size` bytes made now; remembers that they were given.

        FIN goes alone, after the last byte: Go's yamux takes a frame's flags before its data, and a reader awake in
        between would find the stream ended without it.
        """
        flags = self.opening_flags()
        if self.finishing and not size and not self.outgoing and not self.fin_sent:
            self.fin_sent = True
            flags |= FIN
        return flags

    def drop_output(self) -> int:
        """Forget what waits to be sent; returns how many bytes that was."""
        dropped = self.queued_bytes
        self.outgoing.clear()
        self.queued_bytes = 0
        return dropped
