from __future__ import annotations

import pytest

from chiral.files.media_type import HEAD_BYTES, media_type

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(20)


@pytest.mark.parametrize(
    ("name", "head", "found"),
    [
        ("photo.JPG", b"", "image/jpeg"),
        ("notes.txt", PNG, "text/plain"),
        ("archive.tar.gz", b"", "application/gzip"),
        ("nameless", PNG, "image/png"),
        ("nameless", b"%PDF-1.7\n", "application/pdf"),
        ("nameless", b"PK\x03\x04" + bytes(26), "application/zip"),
        ("nameless", "gr\u00fc\u00dfe\n".encode(), "text/plain"),
        ("nameless", b"\x00\x01\x02\x03", "application/octet-stream"),
        ("nameless", b"\xff\xfe\xfd words", "application/octet-stream"),
        ("nameless", b"", ""),
        ("", b"", ""),
        ("odd.zzzz", b"text", "text/plain"),
    ],
)
def test_name_then_bytes(name: str, head: bytes, found: str) -> None:
    assert media_type(name, head) == found


@pytest.mark.parametrize("cut", range(4))
def test_a_character_that_the_head_cuts_is_no_fault(cut: int) -> None:
    text = "\N{GRINNING FACE}".encode() * HEAD_BYTES
    assert media_type("nameless", text[: HEAD_BYTES - cut]) == "text/plain"
