from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.errors import InvalidAddressError
from chiral.interface.peer import MAX_PEER_ID_BYTES, PeerId, PeerInfo

FIXTURE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "libp2p-peer-ids" / "peer-ids.json").read_text()
)
KEYS = FIXTURE["keys"]
STRINGS = FIXTURE["peer_id_strings"]
INLINED_KEY_BYTES = 42


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key["key_type"])
def test_the_keys_of_the_specification(key: dict[str, Any]) -> None:
    public = bytes.fromhex(key["public_key_protobuf_hex"])
    derived = key["derived"]
    multihash = (
        bytes([0x00, len(public)]) + public
        if len(public) <= INLINED_KEY_BYTES
        else b"\x12\x20" + hashlib.sha256(public).digest()
    )
    peer = PeerId.from_bytes(multihash)
    assert multihash.hex() == derived["multihash_hex"]
    assert str(peer) == derived["peer_id_base58btc"]
    assert PeerId.parse(derived["peer_id_base58btc"]) == peer
    assert PeerId.parse(derived["peer_id_cid_base32"]) == peer


@pytest.mark.parametrize("case", STRINGS, ids=lambda case: next(iter(case.values()))[-8:])
def test_both_text_forms_of_the_specification(case: dict[str, Any]) -> None:
    derived = case["derived"]
    peer = PeerId.from_bytes(bytes.fromhex(derived["multihash_hex"]))
    assert str(peer) == derived["peer_id_base58btc"]
    assert PeerId.parse(derived["peer_id_base58btc"]) == PeerId.parse(derived["peer_id_cid_base32"]) == peer


@given(st.binary(min_size=32, max_size=32))
def test_what_was_written_is_read(digest: bytes) -> None:
    peer = PeerId.from_bytes(b"\x12\x20" + digest)
    assert PeerId.parse(str(peer)) == peer
    assert str(peer).endswith(peer.short)
    assert len(peer.short) == 8
    assert repr(peer) == f"PeerId({peer})"


def test_they_sort_by_their_bytes() -> None:
    peers = [PeerId.from_bytes(b"\x12\x20" + bytes([number]) * 32) for number in (3, 1, 2)]
    assert [peer.raw[-1] for peer in sorted(peers)] == [1, 2, 3]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00",
        b"\x00\x00",
        b"\x12\x20",
        b"\x12\x20" + bytes(31),
        b"\x12\x20" + bytes(33),
        b"\x11\x14" + bytes(20),
        b"\x00\x3f" + bytes(63),
        b"\x80" * 20,
        bytes(1000),
    ],
)
def test_bytes_that_are_none(raw: bytes) -> None:
    with pytest.raises(InvalidAddressError):
        PeerId.from_bytes(raw)


def test_the_longest() -> None:
    longest = b"\x00\x3e" + bytes(62)
    assert len(longest) == MAX_PEER_ID_BYTES
    assert PeerId.from_bytes(longest).raw == longest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "Qm",
        "hello",
        "12D3KooW",
        "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3p0",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "bafybeifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
        "\udcff",
        "1" * 10_000,
        "Qm" + "z" * 1_000_000,
    ],
)
def test_text_that_is_none(text: str) -> None:
    with pytest.raises(InvalidAddressError) as caught:
        PeerId.parse(text)
    assert len(caught.value.message) < 200


@given(st.text(max_size=60))
def test_random_text(text: str) -> None:
    try:
        peer = PeerId.parse(text)
    except InvalidAddressError:
        return
    assert PeerId.from_bytes(peer.raw) == peer


def test_a_peer_without_known_addresses() -> None:
    peer = PeerId.from_bytes(b"\x12\x20" + bytes(32))
    assert PeerInfo(peer).addrs == ()
