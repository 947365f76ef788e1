"""The responder's decisions: what each request calls for, and the answer made of what was found. Stores nothing.

A request is taken in two steps, so that a real node (which waits for its store) and a simulated one share both:
`plan` says what to do, and `answer` makes the reply of what that gave.
Source: libp2p kad-dht specification, "RPC messages"; what Go and Rust peers accept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chiral.errors import InvalidAddressError, LimitExceededError, ProtocolError
from chiral.interface.peer import PeerId
from chiral.kad.addresses import MAX_ADDRS, clean_addrs
from chiral.kad.messages import Message, MessageType, PeerEntry, Record

MAX_KEY_BYTES = 80


class ForeignRecordError(ProtocolError):
    """A peer wants a record kept that names another as its owner."""


@dataclass(frozen=True, slots=True)
class FindPeers:
    """Answer with the peers closest to `key`; with `target` too, if it is a peer id whose addresses are known."""

    key: bytes
    target: PeerId | None


@dataclass(frozen=True, slots=True)
class FindProviders:
    """Answer with the provider records of `key` and the peers closest to it."""

    key: bytes


@dataclass(frozen=True, slots=True)
class KeepProvider:
    """Keep that the sender provides `key`; `addrs` are clean, and empty if it gave none that are well formed."""

    key: bytes
    addrs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class FindValue:
    """Answer with the record of `key`, if one is held, and the peers closest to it."""

    key: bytes


@dataclass(frozen=True, slots=True)
class KeepValue:
    """Keep the record if its validator takes it, and answer with the same record."""

    record: Record


@dataclass(frozen=True, slots=True)
class Echo:
    """Answer with the request itself."""


Plan = FindPeers | FindProviders | KeepProvider | FindValue | KeepValue | Echo


def plan(request: Message, sender: PeerId, *, max_addrs: int = MAX_ADDRS) -> Plan:
    """What `request` of `sender` calls for; raises `ProtocolError`, `LimitExceededError` for what is to be refused."""
    if request.type is MessageType.PING:
        return Echo()
    if not request.key:
        raise ProtocolError(f"{request.type.name} without a key")
    if len(request.key) > MAX_KEY_BYTES:
        raise LimitExceededError(f"{request.type.name} for a key of {len(request.key)} bytes, over {MAX_KEY_BYTES}")
    if request.type is MessageType.FIND_NODE:
        return FindPeers(request.key, _peer_id(request.key))
    if request.type is MessageType.GET_PROVIDERS:
        return FindProviders(request.key)
    if request.type is MessageType.GET_VALUE:
        return FindValue(request.key)
    if request.type is MessageType.PUT_VALUE:
        return _plan_put(request)
    return _plan_add_provider(request, sender, max_addrs)


def _plan_put(request: Message) -> KeepValue:
    record = request.record
    if record is None:
        raise ProtocolError("PUT_VALUE without a record")
    if record.key != request.key:
        raise ProtocolError("PUT_VALUE whose record has another key")
    return KeepValue(record)


def _plan_add_provider(request: Message, sender: PeerId, max_addrs: int) -> KeepProvider:
    own = [entry for entry in request.providers if entry.id == sender.raw]
    if not own:
        raise ForeignRecordError("ADD_PROVIDER that does not name its sender")
    return KeepProvider(request.key, clean_addrs(sender, (addr for entry in own for addr in entry.addrs), max_addrs))


def answer(
    request: Message,
    *,
    closer: Sequence[PeerEntry] = (),
    providers: Sequence[PeerEntry] = (),
    record: Record | None = None,
) -> Message:
    """The reply to `request` made of what was found; it may be larger than may be sent, sending trims it."""
    return Message(request.type, request.key, record, tuple(closer), tuple(providers), request.cluster_level)


def closer_peers(closest: Sequence[PeerId], asker: PeerId, count: int) -> list[PeerId]:
    """Of `closest` (nearest first, at least `count` + 1 of them) the `count` to answer with: all but the asker."""
    return [peer for peer in closest if peer != asker][:count]


def _peer_id(key: bytes) -> PeerId | None:
    try:
        return PeerId.from_bytes(key)
    except InvalidAddressError:
        return None
