"""What can happen in a node, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.block.cid import CID
from chiral.interface.peer import PeerId


@dataclass(frozen=True, slots=True)
class Event:
    """The root of all events."""


@dataclass(frozen=True, slots=True)
class PeerConnected(Event):
    """The first connection to a peer stands."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class PeerDisconnected(Event):
    """The last connection to a peer is gone."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class BlockSent(Event):
    """A block, or a file's manifest, was served to a peer."""

    peer: PeerId
    cid: CID
    size_bytes: int


@dataclass(frozen=True, slots=True)
class BlockReceived(Event):
    """A verified block came from a peer."""

    peer: PeerId
    cid: CID
    size_bytes: int
