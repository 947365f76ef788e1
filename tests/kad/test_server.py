"""The responder's decisions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.errors import LimitExceededError, ProtocolError, RemoteError
from chiral.kad.addresses import clean_addrs
from chiral.kad.messages import Message, MessageType, PeerEntry, Record, decode_message
from chiral.kad.server import (
    MAX_KEY_BYTES,
    Echo,
    FindPeers,
    FindProviders,
    FindValue,
    ForeignRecordError,
    KeepProvider,
    KeepValue,
    answer,
    closer_peers,
    plan,
)
from tests.fakes.link import address
from tests.fakes.stream_node import peer_id

SENDER, OTHER = peer_id(1), peer_id(2)


def add_provider(*providers: PeerEntry, key: bytes = b"key") -> Message:
    return Message(MessageType.ADD_PROVIDER, key, providers=providers)


def test_each_request_has_its_plan() -> None:
    record = Record(b"/pk/x", b"value")
    assert plan(Message(MessageType.PING), SENDER) == Echo()
    assert plan(Message(MessageType.FIND_NODE, b"key"), SENDER) == FindPeers(b"key", None)
    assert plan(Message(MessageType.FIND_NODE, OTHER.raw), SENDER) == FindPeers(OTHER.raw, OTHER)
    assert plan(Message(MessageType.GET_PROVIDERS, b"key"), SENDER) == FindProviders(b"key")
    assert plan(Message(MessageType.GET_VALUE, b"key"), SENDER) == FindValue(b"key")
    assert plan(Message(MessageType.PUT_VALUE, b"/pk/x", record), SENDER) == KeepValue(record)


def test_a_provider_speaks_for_itself_only() -> None:
    own = PeerEntry(SENDER.raw, (address(1),))
    foreign = PeerEntry(OTHER.raw, (address(2),))
    assert plan(add_provider(foreign, own), SENDER) == KeepProvider(b"key", (address(1),))
    with pytest.raises(ForeignRecordError, match="does not name its sender"):
        plan(add_provider(foreign), SENDER)
    with pytest.raises(ProtocolError):
        plan(add_provider(), SENDER)


def test_provider_addresses_are_cleaned_and_bounded() -> None:
    addrs = tuple(address(1, port) for port in range(1, 60))
    entry = PeerEntry(SENDER.raw, (b"garbage", *addrs))
    assert plan(add_provider(entry), SENDER) == KeepProvider(b"key", addrs[:16])
    assert plan(add_provider(entry), SENDER, max_addrs=2) == KeepProvider(b"key", addrs[:2])
    assert plan(add_provider(PeerEntry(SENDER.raw)), SENDER) == KeepProvider(b"key", ())


@pytest.mark.parametrize("kind", [kind for kind in MessageType if kind is not MessageType.PING])
def test_keys_of_zero_and_of_too_many_bytes(kind: MessageType) -> None:
    own = PeerEntry(SENDER.raw)
    with pytest.raises(ProtocolError):
        plan(Message(kind, b"", Record(b"", b"v"), providers=(own,)), SENDER)
    long = bytes(MAX_KEY_BYTES + 1)
    with pytest.raises(LimitExceededError, match="81 bytes"):
        plan(Message(kind, long, Record(long, b"v"), providers=(own,)), SENDER)
    longest = bytes(MAX_KEY_BYTES)
    plan(Message(kind, longest, Record(longest, b"v"), providers=(own,)), SENDER)


def test_put_value_without_record_or_under_another_key() -> None:
    with pytest.raises(ProtocolError, match="without a record"):
        plan(Message(MessageType.PUT_VALUE, b"key"), SENDER)
    with pytest.raises(ProtocolError, match="another key"):
        plan(Message(MessageType.PUT_VALUE, b"key", Record(b"other", b"v")), SENDER)


def test_the_answer_repeats_what_was_asked() -> None:
    request = Message(MessageType.GET_PROVIDERS, b"key", closer=(PeerEntry(b"x"),), cluster_level=10)
    found = answer(request, closer=[PeerEntry(b"c")], providers=[PeerEntry(b"p")])
    assert found == Message(
        MessageType.GET_PROVIDERS, b"key", None, (PeerEntry(b"c"),), (PeerEntry(b"p"),), cluster_level=10
    )


def test_the_asker_is_not_told_of_itself() -> None:
    closest = [peer_id(number) for number in range(5)]
    assert closer_peers(closest, peer_id(2), 4) == [peer_id(0), peer_id(1), peer_id(3), peer_id(4)]
    assert closer_peers(closest, peer_id(99), 4) == closest[:4]


KEYS = st.binary(max_size=3) | st.binary(min_size=78, max_size=83) | st.just(OTHER.raw)
ENTRIES = st.lists(
    st.builds(
        PeerEntry,
        st.sampled_from([SENDER.raw, OTHER.raw, b""]) | st.binary(max_size=70),
        st.lists(st.sampled_from([address(1), address(2), b"x"]) | st.binary(max_size=12), max_size=40).map(tuple),
    ),
    max_size=4,
).map(tuple)
RECORDS = st.none() | st.builds(Record, KEYS, st.binary(max_size=9))


@given(st.sampled_from(MessageType), KEYS, RECORDS, ENTRIES, ENTRIES)
def test_what_a_plan_keeps_is_its_senders_and_within_bounds(
    kind: MessageType, key: bytes, record: Record | None, closer: tuple[PeerEntry, ...], named: tuple[PeerEntry, ...]
) -> None:
    request = Message(kind, key, record, closer, named)
    try:
        step = plan(request, SENDER)
    except RemoteError:
        return
    if isinstance(step, Echo):
        assert kind is MessageType.PING
        return
    assert 0 < len(key) <= MAX_KEY_BYTES
    if isinstance(step, KeepValue):
        assert step.record.key == key
    elif isinstance(step, KeepProvider):
        assert SENDER.raw in {entry.id for entry in named}
        assert len(step.addrs) <= 16
        assert clean_addrs(SENDER, step.addrs) == step.addrs
        assert set(step.addrs) <= {addr for entry in named if entry.id == SENDER.raw for addr in entry.addrs}


@given(st.binary(max_size=300))
def test_any_request_has_a_plan_or_a_remote_error(data: bytes) -> None:
    try:
        plan(decode_message(data), SENDER)
    except RemoteError:
        return
