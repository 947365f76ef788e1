from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID, DAG_PB, IDENTITY, LIBP2P_KEY, MAX_CID_BYTES, RAW, SHA2_256, raw_cid
from chiral.errors import InvalidCidError

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "rust-blocks-1.0.0.json").read_text()
)["cids"]
HELLO = CID.of(b"hello world")
HELLO_TEXT = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"

MULTIHASHES = st.one_of(
    st.binary(min_size=32, max_size=32).map(lambda digest: b"\x12\x20" + digest),
    st.binary(max_size=120).map(lambda data: bytes([IDENTITY, len(data)]) + data),
    st.binary(min_size=20, max_size=20).map(lambda digest: b"\x11\x14" + digest),
)
CIDS = st.one_of(
    st.builds(CID, st.just(1), st.sampled_from([RAW, DAG_PB, LIBP2P_KEY, 0x0129, 0x300000]), MULTIHASHES),
    st.binary(min_size=32, max_size=32).map(lambda digest: CID(0, DAG_PB, b"\x12\x20" + digest)),
)


class TestVectors:
    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
    def test_bytes_and_text(self, vector: dict[str, Any]) -> None:
        cid = CID.from_bytes(bytes.fromhex(vector["cid_bytes_hex"]))
        assert str(cid) == vector["cid"]
        assert cid.codec == vector["codec"]
        assert CID.parse(vector["cid"]) == cid
        assert cid.buffer.hex() == vector["cid_bytes_hex"]

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("raw empty", b""),
            ("raw hello world", b"hello world"),
            ("raw 256KiB zeros", bytes(262_144)),
            ("dag-pb hello world", b"hello world"),
            ("CIDv0 hello world", b"hello world"),
            ("raw identity hi", b"hi"),
        ],
    )
    def test_the_data_they_name(self, name: str, data: bytes) -> None:
        vector = next(vector for vector in VECTORS if vector["name"] == name)
        cid = CID.parse(vector["cid"])
        assert len(data) == vector["data_len"]
        assert cid.matches(data)
        assert not cid.matches(data + b"\x00")
        if cid.version == 1 and cid.hash_code == SHA2_256:
            assert CID.of(data, vector["codec"]) == cid


class TestBinary:
    @given(CIDS, st.binary(max_size=4), st.binary(max_size=4))
    def test_what_was_written_is_read_in_place(self, cid: CID, before: bytes, after: bytes) -> None:
        data = before + cid.buffer + after
        assert CID.read_from(data, len(before)) == (cid, len(before) + len(cid.buffer))
        assert CID.read_from(memoryview(data), len(before))[0].multihash == cid.multihash
        assert CID.from_bytes(bytearray(cid.buffer)) == cid

    @given(CIDS, st.integers(1, 40))
    def test_cut_short(self, cid: CID, cut: int) -> None:
        with pytest.raises(InvalidCidError):
            CID.from_bytes(cid.buffer[: max(len(cid.buffer) - cut, 0)])

    @given(CIDS, st.binary(min_size=1, max_size=4))
    def test_bytes_after_it(self, cid: CID, more: bytes) -> None:
        with pytest.raises(InvalidCidError, match="follow"):
            CID.from_bytes(cid.buffer + more)

    @given(st.binary(max_size=60))
    def test_random_bytes(self, data: bytes) -> None:
        try:
            cid = CID.from_bytes(data)
        except InvalidCidError:
            return
        assert cid.buffer == data

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x00",
            b"\x01",
            b"\x02\x55\x12\x20" + bytes(32),
            b"\x03",
            b"\x12\x20",
            b"\x12\x20" + bytes(31),
            b"\x01\x55\x12\x20" + bytes(31),
            b"\x81\x00\x55\x12\x20" + bytes(32),
            b"\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
            b"\x01\x55\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\x01\x55\x00\xa0\x01" + bytes(160),
        ],
    )
    def test_what_is_no_cid(self, data: bytes) -> None:
        with pytest.raises(InvalidCidError):
            CID.from_bytes(data)

    def test_the_longest(self) -> None:
        longest = b"\x01\x55\x00" + b"\x9b\x01" + bytes(MAX_CID_BYTES - 5)
        assert CID.from_bytes(longest).buffer == longest
        with pytest.raises(InvalidCidError, match="over the limit"):
            CID.from_bytes(b"\x01\x55\x00" + b"\x9c\x01" + bytes(MAX_CID_BYTES - 4))


class TestText:
    @given(CIDS)
    def test_what_was_written_is_read(self, cid: CID) -> None:
        if cid.digest and cid.codec_name != "0x300000":  # py-cid takes no empty digest and no codec it has no name for
            assert CID.parse(str(cid)) == cid

    @pytest.mark.parametrize(
        "text",
        [
            HELLO_TEXT,
            f"  {HELLO_TEXT}\n",
            HELLO_TEXT.upper(),
            f"/ipfs/{HELLO_TEXT}",
            f"/ipfs/{HELLO_TEXT}/",
            f"https://ipfs.io/ipfs/{HELLO_TEXT}",
            f"http://127.0.0.1:8080/ipfs/{HELLO_TEXT}?filename=hello.txt",
            "f01551220b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
            "F01551220B94D27B9934D3E08A52E52D7DA7DABFAC484EFE37A5380EE9088F7ACE2EFCDE9",
            "zb2rhj7crUKTQYRGCRATFaQ6YFLTde2YzdqbbhAASkL9uRDXn",
            "mAVUSILlNJ7mTTT4IpS5S19p9q/rEhO/jelOA7pCI96zi783p",
            "uAVUSILlNJ7mTTT4IpS5S19p9q_rEhO_jelOA7pCI96zi783p",
        ],
    )
    def test_ways_to_write_one(self, text: str) -> None:
        assert CID.parse(text) == HELLO

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "hello",
            "b",
            "Qm",
            "bafkrei",
            HELLO_TEXT[:-1],
            HELLO_TEXT[:-4],
            HELLO_TEXT + "aaaa",
            HELLO_TEXT[:20] + "1" + HELLO_TEXT[21:],
            "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L",
            "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L44",
            "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT30l",
            "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
            "/ipns/" + HELLO_TEXT,
            "ipfs://" + HELLO_TEXT,
            f"/ipfs/{HELLO_TEXT}/below.txt",
            f"https://ipfs.io/ipfs/{HELLO_TEXT}/a/b",
            "\x00",
            "\U0001f680",
            "\udcff",
            "b" * 100_000,
            "z" * 1_000_000,
            "Qm" + "z" * 1_000_000,
            "1" * 1000,
        ],
    )
    def test_what_is_no_cid(self, text: str) -> None:
        with pytest.raises(InvalidCidError) as caught:
            CID.parse(text)
        assert caught.value.exit_code == 2
        assert len(caught.value.message) < 200
        assert "\n" not in str(caught.value)

    @given(st.text(max_size=60))
    def test_random_text(self, text: str) -> None:
        try:
            cid = CID.parse(text)
        except InvalidCidError:
            return
        assert CID.from_bytes(cid.buffer) == cid


class TestParts:
    def test_of_a_cid(self) -> None:
        assert HELLO.hash_code == SHA2_256
        assert HELLO.digest == hashlib.sha256(b"hello world").digest()
        assert HELLO.codec_name == "raw"
        assert CID(1, 0x300000, HELLO.multihash).codec_name == "0x300000"
        assert repr(HELLO) == f"CID({HELLO_TEXT})"

    def test_equal_ones_are_one_key(self) -> None:
        again = CID.from_bytes(HELLO.buffer)
        assert again == HELLO
        assert hash(again) == hash(HELLO)
        assert CID(1, DAG_PB, HELLO.multihash) != HELLO

    def test_of_a_digest_that_is_known(self) -> None:
        made = raw_cid(hashlib.sha256(b"hello world").digest())
        assert made == HELLO
        assert made.buffer == HELLO.buffer
        assert str(made) == HELLO_TEXT

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_of_any_buffer(self, kind: Any) -> None:
        assert CID.of(kind(b"hello world")) == HELLO
        assert HELLO.matches(kind(b"hello world"))
