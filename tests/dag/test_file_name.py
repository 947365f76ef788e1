from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.dag.file_name import MAX_NAME_BYTES, UNNAMED, sanitise_name


@pytest.mark.parametrize(
    ("claimed", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("two words (1).tar.gz", "two words (1).tar.gz"),
        ("übung \U0001f600.txt", "übung \U0001f600.txt"),
        ("/etc/passwd", "passwd"),
        ("../../up.txt", "up.txt"),
        ("C:\\Windows\\system32\\cmd.exe", "cmd.exe"),
        ("mixed\\..//name", "name"),
        ("directory/", "directory"),
        ("", UNNAMED),
        (".", UNNAMED),
        ("..", UNNAMED),
        ("...", UNNAMED),
        ("a/..", UNNAMED),
        ("/", UNNAMED),
        ("\\\\", UNNAMED),
        ("   ", UNNAMED),
        ("\x00\x1f\x7f\x85", UNNAMED),
        ("na\x00me\n.txt", "name.txt"),
        ("line\u2028break", "linebreak"),
        ("exe.\u202efdp", "exe.fdp"),
        (".bashrc", "_bashrc"),
        ("..hidden", "_.hidden"),
        ("-rf", "_rf"),
        ("\u202e.profile", "_profile"),
        ("name. . ", "name"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("Com1", "_Com1"),
        ("lpt9.tar.gz", "_lpt9.tar.gz"),
        ("console", "console"),
        ("com10", "com10"),
        ("bad\udcffbyte", "bad�byte"),
    ],
)
def test_known_names(claimed: str, safe: str) -> None:
    assert sanitise_name(claimed) == safe


@pytest.mark.parametrize(
    ("claimed", "end"),
    [("n" * 300, "n"), ("n" * 300 + ".txt", ".txt"), ("ü" * 300 + ".jpeg", "ü.jpeg"), ("n." + "x" * 300, "x")],
)
def test_a_long_name_keeps_its_extension(claimed: str, end: str) -> None:
    safe = sanitise_name(claimed)
    assert MAX_NAME_BYTES - 1 <= len(safe.encode()) <= MAX_NAME_BYTES
    assert safe.endswith(end)


@given(st.text(st.one_of(st.characters(), st.sampled_from("./\\-: \x00\u202e\U0001f600ü"))))
def test_whatever_is_claimed(claimed: str) -> None:
    safe = sanitise_name(claimed)
    assert 0 < len(safe.encode()) <= MAX_NAME_BYTES
    assert not set(safe) & set("/\\")
    assert safe[0] not in ".- "
    assert safe[-1] not in ". "
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in safe)
    assert sanitise_name(safe) == safe
