"""Symbolic links: judged by their text alone, and by what a file system makes of those that pass."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chiral.dag.link_target import target_fault


@pytest.mark.parametrize(
    ("target", "depth"),
    [(b"a", 0), (b"./a//b/", 0), (b"../a", 1), (b"..", 1), (b"../../x/y", 2), (b".", 0), (b"...", 0), (b"a..", 0)],
)
def test_links_that_stay_inside(target: bytes, depth: int) -> None:
    assert target_fault(target, depth) == ""


@pytest.mark.parametrize(
    ("target", "depth"),
    [
        (b"", 0),
        (b"a\0b", 0),
        (b"/etc/passwd", 5),
        (b"//x", 5),
        (b"..", 0),
        (b"../a", 0),
        (b"./../a", 0),
        (b"../../a", 1),
        (b"a/../b", 3),
        (b"../a/..", 3),
        (b"x" * 4096, 0),
    ],
)
def test_links_that_lead_out_or_might(target: bytes, depth: int) -> None:
    assert target_fault(target, depth)


PARTS = st.sampled_from([b"..", b".", b"a", b"b", b"l0", b"l1", b"l2", b"l3", b""])
LINKS = st.lists(st.tuples(st.sampled_from(["", "a", "a/b"]), st.lists(PARTS, min_size=1, max_size=5)), max_size=4)


@example([("a/b", [b"..", b".."]), ("a/b", [b"l0", b".."])])
@given(LINKS)
def test_no_set_of_links_that_pass_leads_out(links: list[tuple[str, list[bytes]]]) -> None:
    """Through each other as well: every one is followed by the system to where it really leads."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "tree"
        (root / "a" / "b").mkdir(parents=True)
        for number, (parent, parts) in enumerate(links):
            target = b"/".join(parts)
            depth = len([part for part in parent.split("/") if part])
            if not target_fault(target, depth):
                os.symlink(target, os.fsencode(root / parent / f"l{number}"))
        for path in root.rglob("*"):
            if path.is_symlink():
                try:
                    real = Path(os.path.realpath(path, strict=True))
                except OSError:
                    continue
                assert real.is_relative_to(root)
