from __future__ import annotations

import pytest

from chiral.cli.novelty import Novelty


def told(*answers: tuple[bool, int, int]) -> str:
    novelty = Novelty()
    for known, size, new_bytes in answers:
        novelty.count({"known": known, "size": size, "new_bytes": new_bytes})
    return novelty.text


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ((), ""),
        (((False, 0, 0),), ""),
        (((False, 2048, 2048),), "2.0 KiB new"),
        (((False, 2048, 1024),), "1.0 KiB new of 2.0 KiB"),
        (((False, 2048, 0),), "nothing new of 2.0 KiB"),
        (((True, 2048, 0),), "already here"),
        (((True, 0, 0),), "already here"),
        (((True, 2048, 1024),), "already here, 1.0 KiB of it restored"),
        (((True, 1024, 0), (False, 1024, 1024)), "1.0 KiB new of 2.0 KiB, 1 of 2 already here"),
        (((True, 1024, 0), (True, 1024, 0)), "already here"),
    ],
)
def test_what_is_told(answers: tuple[tuple[bool, int, int], ...], text: str) -> None:
    assert told(*answers) == text
