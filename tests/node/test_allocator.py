"""Tuning the C allocator is a wish: a C library that does not know it is no fault."""

from __future__ import annotations

import ctypes

import pytest

from chiral.node.allocator import keep_blocks_in_heap


class _Library:
    """A C library whose `mallopt` answers as told."""

    def __init__(self, answer: int) -> None:
        self._answer = answer
        self.asked: list[tuple[int, int]] = []

    def mallopt(self, parameter: int, value: int) -> int:
        self.asked.append((parameter, value))
        return self._answer


@pytest.mark.parametrize("answer", [0, 1])
def test_it_says_whether_the_library_agreed(monkeypatch: pytest.MonkeyPatch, answer: int) -> None:
    library = _Library(answer)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    assert keep_blocks_in_heap() is bool(answer)
    assert all(value > 1 << 20 for _, value in library.asked)


def test_another_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert keep_blocks_in_heap() is False
