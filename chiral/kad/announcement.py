"""The frame that announces one key, put together from what all announcements of a node share. Sends nothing.

Source: libp2p kad-dht specification, "RPC messages": ADD_PROVIDER.
"""

from __future__ import annotations

from chiral.block.protobuf import bytes_field, varint_field
from chiral.kad.framing import frame
from chiral.kad.messages import MessageType, PeerEntry, encode_peer


class AnnouncementFrames:
    """Frames of ADD_PROVIDERs that name `provider`, each the same for every peer it goes to."""

    def __init__(self, provider: PeerEntry) -> None:
        self._head = varint_field(1, MessageType.ADD_PROVIDER)
        self._tail = bytes_field(9, encode_peer(provider))

    def of(self, key: bytes) -> bytes:
        """The announcement of `key` as it goes on a stream. With the few addresses of one peer it needs no trimming."""
        return frame(self._head + bytes_field(2, key) + self._tail)
