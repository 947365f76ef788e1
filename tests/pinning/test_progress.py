"""Progress outlives the process in a form that tolerates damage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chiral.pinning.progress import CollectionProgress

BEGUN = CollectionProgress("sweeping", False, 1_700_000_000.5, blocks=7)


def test_there_and_back() -> None:
    progress = BEGUN.freed(b"\x12\x20\xff", 3, 900)
    assert CollectionProgress.from_json(progress.to_json()) == progress
    assert (progress.freed_blocks, progress.freed_bytes, progress.position) == (3, 900, b"\x12\x20\xff")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", BEGUN.to_json().replace(b"sweeping", b"dancing")])
def test_what_is_none_is_none(data: bytes) -> None:
    assert CollectionProgress.from_json(data) is None


def test_how_long_it_took() -> None:
    assert BEGUN.seconds == 0
    assert replace(BEGUN, phase="done", finished_at=1_700_000_003.5).seconds == 3
