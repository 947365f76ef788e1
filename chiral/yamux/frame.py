"""The Yamux frame: a 12-byte header, big-endian, and for DATA the payload after it.

version (1, always 0) | type (1) | flags (2) | stream id (4) | length (4). Length counts payload bytes for DATA, is the
credit given for WINDOW_UPDATE, an opaque value for PING and the reason for GO_AWAY (hashicorp/yamux `spec.md`).
"""

from __future__ import annotations

import struct
from enum import IntEnum

from chiral.errors import ProtocolError

HEADER = struct.Struct(">BBHII")
HEADER_BYTES = HEADER.size
VERSION = 0

DATA = 0
WINDOW_UPDATE = 1
PING = 2
GO_AWAY = 3

SYN = 1
ACK = 2
FIN = 4
RST = 8

INITIAL_WINDOW_BYTES = 256 * 1024
"""What either side may send on a new stream before it is given credit."""
MAX_UINT32 = 2**32 - 1
SESSION_ID = 0
"""The stream id of frames that concern the connection."""


class GoAwayCode(IntEnum):
    """Why a side ends the connection."""

    NORMAL = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2


class YamuxError(ProtocolError):
    """The peer broke a rule of Yamux, or a limit on what a connection may cost; the connection must end."""

    code = "yamux"


class SilentPeerError(YamuxError):
    """The peer answered nothing for too long; that may be the network's doing and not its own."""


def header(kind: int, flags: int, stream_id: int, length: int) -> bytes:
    """The 12 bytes of one header; a DATA frame's payload follows them."""
    return HEADER.pack(VERSION, kind, flags, stream_id, length)
