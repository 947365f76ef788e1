from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID, DAG_PB, IDENTITY, RAW
from chiral.dag.file_info import FileInfo, flat_root
from chiral.dag.file_info_json import FileInfoLimits
from chiral.errors import ProtocolError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "rust-blocks-1.0.0.json").read_text())
U64 = st.integers(0, (1 << 64) - 1)
DIGESTS = st.binary(min_size=32, max_size=32)
CIDS = st.one_of(
    DIGESTS.map(lambda digest: CID(1, RAW, b"\x12\x20" + digest)),
    DIGESTS.map(lambda digest: CID(0, DAG_PB, b"\x12\x20" + digest)),
    st.binary(max_size=20).map(lambda data: CID(1, RAW, bytes([IDENTITY, len(data)]) + data)),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
CID_JSON = "[" + ",".join(map(str, CID.of(b"x").buffer)) + "]"
VALID = f'{{"root_cid":{CID_JSON},"name":"n","size":1,"chunk_cids":[{CID_JSON}],"created_at":2}}'


def with_field(name: str, value: str) -> bytes:
    """A valid FileInfo's JSON with one field's value replaced."""
    fields = {"root_cid": CID_JSON, "name": '"n"', "size": "1", "chunk_cids": f"[{CID_JSON}]", "created_at": "2"}
    assert name in fields
    fields[name] = value
    return ("{" + ",".join(f'"{key}":{text}' for key, text in fields.items()) + "}").encode()


def vector_file() -> bytes:
    size = VECTORS["file"]["size"]
    return bytes((i * 31 + 7) % 251 for i in range(size))


class TestVectors:
    def test_the_files_chunks_and_root(self) -> None:
        vector, data, at = VECTORS["file"], vector_file(), 0
        cids = []
        for size in vector["chunk_sizes"]:
            cids.append(CID.of(data[at : at + size]))
            at += size
        assert [str(cid) for cid in cids] == vector["chunk_cids"]
        assert str(flat_root(cids)) == vector["root_cid"]

    @pytest.mark.parametrize(("group", "name"), [("file", "vector-600k.bin"), ("empty_file", "empty.bin")])
    def test_the_json_to_the_byte(self, group: str, name: str) -> None:
        vector = VECTORS[group]
        chunks = [CID.parse(text) for text in vector.get("chunk_cids", [])]
        info = FileInfo.of(name, vector.get("size", 0), chunks, 1_700_000_000)
        assert info.to_json() == vector["fileinfo_json"].encode()
        assert str(info.root_cid) == vector["root_cid"]
        assert FileInfo.parse(vector["fileinfo_json"].encode()) == info
        assert info.verify(CID.parse(vector["root_cid"]))

    @pytest.mark.parametrize("vector", VECTORS["cids"], ids=lambda vector: vector["name"])
    def test_a_cid_is_an_array_of_numbers(self, vector: dict[str, Any]) -> None:
        info = FileInfo.of("", 0, [CID.parse(vector["cid"])], 0)
        assert f'"chunk_cids":[{vector["serde_json_cid"]}]'.encode() in info.to_json()


class TestWriting:
    @pytest.mark.parametrize(
        ("name", "written"),
        [
            ("plain.txt", '"plain.txt"'),
            ('quote " and \\ and /', r'"quote \" and \\ and /"'),
            ("\b\f\n\r\t", r'"\b\f\n\r\t"'),
            ("\x00\x01\x0b\x1f\x7f", '"\\u0000\\u0001\\u000b\\u001f\x7f"'),
            ("ähm \u2028 \U0001f600", '"ähm \u2028 \U0001f600"'),
        ],
    )
    def test_text_is_escaped_as_serde_json_does(self, name: str, written: str) -> None:
        assert f'"name":{written},'.encode() in FileInfo.of(name, 0, [], 0).to_json()

    @pytest.mark.parametrize(("size", "created_at"), [(-1, 0), (1 << 64, 0), (0, -1), (0, 1 << 64)])
    def test_numbers_outside_u64(self, size: int, created_at: int) -> None:
        with pytest.raises(ValueError, match="64 bits"):
            FileInfo.of("n", size, [], created_at).to_json()

    def test_a_name_that_is_no_text(self) -> None:
        with pytest.raises(ValueError, match="surrogates"):
            FileInfo.of("\udcff", 0, [], 0).to_json()


class TestVerify:
    def test_any_change_of_the_chunks_changes_the_root(self) -> None:
        one, two = CID.of(b"one"), CID.of(b"two")
        roots = [flat_root(chunks) for chunks in ([], [one], [two], [one, two], [two, one], [one, one])]
        assert len(set(roots)) == len(roots)

    def test_another_files_info(self) -> None:
        mine, theirs = FileInfo.of("n", 3, [CID.of(b"one")], 0), FileInfo.of("n", 3, [CID.of(b"two")], 0)
        assert mine.verify(mine.root_cid)
        assert not mine.verify(theirs.root_cid)
        forged = FileInfo(mine.root_cid, "n", 3, theirs.chunk_cids, 0)
        assert not forged.verify(mine.root_cid)
        assert not forged.verify(theirs.root_cid)

    def test_the_same_root_under_another_codec_is_another_name(self) -> None:
        info = FileInfo.of("n", 3, [CID.of(b"one")], 0)
        assert not info.verify(CID(1, DAG_PB, info.root_cid.multihash))


class TestParsing:
    @given(NAMES, U64, st.lists(CIDS, max_size=8), U64)
    def test_what_was_written_is_read(self, name: str, size: int, chunks: list[CID], created_at: int) -> None:
        info = FileInfo.of(name, size, chunks, created_at)
        assert FileInfo.parse(info.to_json()) == info
        assert json.loads(info.to_json())["chunk_cids"] == [list(cid.buffer) for cid in chunks]

    @given(NAMES, st.lists(CIDS, max_size=3), st.sampled_from([None, 1, "\t", "\r\n "]), st.randoms())
    def test_any_order_white_space_and_escapes(self, name: str, chunks: list[CID], indent: Any, random: Any) -> None:
        info = FileInfo.of(name, 5, chunks, 6)
        fields = list(json.loads(info.to_json()).items())
        random.shuffle(fields)
        text = json.dumps(dict(fields), indent=indent)
        assert FileInfo.parse(f" \n{text}\t ".encode()) == info

    @given(st.binary(max_size=200))
    def test_random_bytes(self, data: bytes) -> None:
        with pytest.raises(ProtocolError):
            FileInfo.parse(data)

    @given(st.integers(0, len(VALID) - 1), st.integers(0, 255))
    def test_one_byte_changed_is_refused_or_still_one(self, at: int, byte: int) -> None:
        data = bytearray(VALID.encode())
        data[at] = byte
        try:
            info = FileInfo.parse(data)
        except ProtocolError:
            return
        assert FileInfo.parse(info.to_json()) == info

    @given(st.integers(0, len(VALID) - 1))
    def test_cut_short(self, length: int) -> None:
        with pytest.raises(ProtocolError):
            FileInfo.parse(VALID[:length].encode())

    def test_it_takes_any_buffer(self) -> None:
        assert FileInfo.parse(memoryview(VALID.encode())) == FileInfo.parse(bytearray(VALID.encode()))

    @pytest.mark.parametrize("name", ["size", "created_at"])
    @pytest.mark.parametrize(
        "value",
        ["-1", "-0", "1.0", "1e3", "1E3", "01", "+1", '"1"', "null", "true", "[]", "18446744073709551616", "9" * 5000],
    )
    def test_numbers_that_are_none(self, name: str, value: str) -> None:
        with pytest.raises(ProtocolError):
            FileInfo.parse(with_field(name, value))

    def test_the_largest_number(self) -> None:
        assert FileInfo.parse(with_field("size", "18446744073709551615")).size == (1 << 64) - 1

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "null",
            "1",
            '["n"]',
            '"\n"',
            '"\x00"',
            r'"\ud800"',
            r'"\udc00\ud800"',
            r'"\x41"',
            r'"\u12"',
            '"open',
            '"' + "n" * 4097 + '"',
        ],
    )
    def test_names_that_are_none(self, value: str) -> None:
        with pytest.raises(ProtocolError):
            FileInfo.parse(with_field("name", value))

    @pytest.mark.parametrize("raw", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
    def test_a_name_that_is_not_utf_8(self, raw: bytes) -> None:
        with pytest.raises(ProtocolError):
            FileInfo.parse(with_field("name", '"@"').replace(b"@", raw))

    @pytest.mark.parametrize(("value", "name"), [(r'"\u0041\ud83d\ude00\/\""', 'A\U0001f600/"'), ('""', "")])
    def test_names_with_escapes(self, value: str, name: str) -> None:
        assert FileInfo.parse(with_field("name", value)).name == name

    @pytest.mark.parametrize(
        "value",
        [
            "null",
            "[]",
            '"bafkrei"',
            "[256]",
            "[-1]",
            "[1.0]",
            "[01]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[[1]]",
            "[1,85,18,32]",
            CID_JSON[:-1] + ",0]",
            CID_JSON.replace("[1,85", "[2,85"),
            "[" + ",".join(["1"] * 2000) + "]",
            "[" + " " * 5000 + "]",
        ],
    )
    def test_cids_that_are_none(self, value: str) -> None:
        with pytest.raises(ProtocolError):
            FileInfo.parse(with_field("root_cid", value))
        with pytest.raises(ProtocolError):
            FileInfo.parse(with_field("chunk_cids", f"[{CID_JSON},{value}]"))

    @pytest.mark.parametrize("value", ["null", "{}", "[", f"[{CID_JSON}", f"[{CID_JSON},]", f"[,{CID_JSON}]", "[[]"])
    def test_lists_that_are_none(self, value: str) -> None:
        with pytest.raises(ProtocolError):
            FileInfo.parse(with_field("chunk_cids", value))

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "null",
            "[]",
            "{}",
            VALID + "x",
            VALID + VALID,
            "\ufeff" + VALID,
            VALID[:-1] + ",}",
            VALID[:-1] + ',"size":1}',
            VALID[:-1] + ',"extra":1}',
            VALID.replace('"created_at":2', '"name":"again"'),
            VALID.replace('"name"', r'"\u006eame"'),
            VALID.replace(':"n"', ';"n"'),
            "[" * 100_000,
            '{"name":' * 100_000,
        ],
    )
    def test_shapes_that_are_none(self, text: str) -> None:
        with pytest.raises(ProtocolError):
            FileInfo.parse(text.encode())

    @pytest.mark.parametrize("name", ["root_cid", "name", "size", "chunk_cids", "created_at"])
    def test_every_field_must_be_there(self, name: str) -> None:
        fields = json.loads(VALID)
        del fields[name]
        with pytest.raises(ProtocolError, match="lacks"):
            FileInfo.parse(json.dumps(fields).encode())


class TestLimits:
    def test_bytes(self) -> None:
        limits = FileInfoLimits(json_bytes=len(VALID))
        assert FileInfo.parse(VALID.encode(), limits).name == "n"
        with pytest.raises(ProtocolError, match="over the limit"):
            FileInfo.parse(VALID.encode() + b" ", limits)

    def test_chunks(self) -> None:
        limits = FileInfoLimits(chunks=3)
        assert (
            len(FileInfo.parse(with_field("chunk_cids", f"[{CID_JSON},{CID_JSON},{CID_JSON}]"), limits).chunk_cids) == 3
        )
        with pytest.raises(ProtocolError, match="over 3 chunks"):
            FileInfo.parse(with_field("chunk_cids", "[" + ",".join([CID_JSON] * 4) + "]"), limits)

    def test_a_list_of_the_smallest_cids_ends_at_the_limit(self) -> None:
        many = "[" + ",".join(["[1,85,0,0]"] * 1_000) + "]"
        with pytest.raises(ProtocolError, match="over 999 chunks"):
            FileInfo.parse(with_field("chunk_cids", many), FileInfoLimits(chunks=999))

    def test_a_list_of_nothing_is_refused_at_its_first(self) -> None:
        with pytest.raises(ProtocolError, match=r"at byte \d{1,3}\)"):
            FileInfo.parse(with_field("chunk_cids", "[" + "[]," * 1_000_000 + "[]]"))

    def test_a_large_file(self) -> None:
        chunks = [CID.of(b"%d" % number) for number in range(20_000)]
        info = FileInfo.of("large", 20_000 * 262_144, chunks, 0)
        assert FileInfo.parse(info.to_json()) == info
