"""Makes a message fit the size that every peer takes, losing what the reader can best do without."""

from __future__ import annotations

from dataclasses import replace

from chiral.block.protobuf import bytes_field
from chiral.errors import LimitExceededError
from chiral.kad.messages import MAX_MESSAGE_BYTES, Message, PeerEntry, encode_message, encode_peer

_KEPT_CLOSER = 4
_KEPT_ADDRS = 4
_PEER_FIELD = 8


def trim(message: Message, limit_bytes: int = MAX_MESSAGE_BYTES) -> Message:
    """`message` in at most `limit_bytes` bytes of protobuf.

    Goes, in this order, as far as it is needed: the farthest closer peers but for a few that keep a lookup going, the
    addresses past the first few of each peer, the last providers, the last closer peers. Raises `LimitExceededError` if
    key and record alone are too large.
    """
    rest = limit_bytes - len(encode_message(replace(message, closer=(), providers=())))
    if rest < 0:
        raise LimitExceededError(f"DHT message of {limit_bytes - rest} bytes is over {limit_bytes}")
    closer, providers = message.closer, message.providers
    if _size(closer) + _size(providers) <= rest:
        return message
    closer = _fitting(closer, rest - _size(providers), at_least=_KEPT_CLOSER)
    if _size(closer) + _size(providers) > rest:
        closer, providers = _fewer_addrs(closer), _fewer_addrs(providers)
    providers = _fitting(providers, rest - _size(closer))
    closer = _fitting(closer, rest - _size(providers))
    return replace(message, closer=closer, providers=providers)


def _field_size(peer: PeerEntry) -> int:
    return len(bytes_field(_PEER_FIELD, encode_peer(peer)))


def _size(peers: tuple[PeerEntry, ...]) -> int:
    return sum(_field_size(peer) for peer in peers)


def _fitting(peers: tuple[PeerEntry, ...], room_bytes: int, at_least: int = 0) -> tuple[PeerEntry, ...]:
    """The first peers that fit `room_bytes`, and `at_least` so many though they do not."""
    used = 0
    for index, peer in enumerate(peers):
        used += _field_size(peer)
        if used > room_bytes and index >= at_least:
            return peers[:index]
    return peers


def _fewer_addrs(peers: tuple[PeerEntry, ...]) -> tuple[PeerEntry, ...]:
    return tuple(replace(peer, addrs=peer.addrs[:_KEPT_ADDRS]) for peer in peers)
