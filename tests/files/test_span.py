"""Parts of files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.files.flat_range import known_places, uniform_places, uniform_size
from chiral.files.span import Span


@pytest.mark.parametrize(
    ("span", "size", "expected"),
    [
        (Span(), 10, (0, 10)),
        (Span(3), 10, (3, 10)),
        (Span(3, 5), 10, (3, 5)),
        (Span(3, 50), 10, (3, 10)),
        (Span(30), 10, (10, 10)),
        (Span(30, 40), 10, (10, 10)),
        (Span(-3), 10, (7, 10)),
        (Span(-30), 10, (0, 10)),
        (Span(5, 2), 10, (5, 5)),
        (Span(-3), 0, (0, 0)),
    ],
)
def test_within_a_file(span: Span, size: int, expected: tuple[int, int]) -> None:
    assert span.within(size) == expected


@given(st.lists(st.integers(0, 20), max_size=12), st.integers(0, 250), st.integers(0, 250))
def test_the_places_of_a_part_hold_it_and_nothing_else(sizes: list[int], start: int, stop: int) -> None:
    size = sum(sizes)
    start, stop = Span(start, stop).within(size)
    data = bytes(number % 251 for number in range(size))
    places = known_places(start, stop, sizes) if start < stop else []
    parts = [data[place.start : place.start + place.size][max(start - place.start, 0) : stop - place.start]
             for place in places]  # fmt: skip
    assert b"".join(parts) == data[start:stop]
    assert all(parts)


@given(st.integers(1, 50), st.integers(1, 500), st.integers(0, 500), st.integers(0, 500))
def test_even_chunks_are_a_case_of_known_ones(chunk: int, size: int, start: int, stop: int) -> None:
    start, stop = Span(start, stop).within(size)
    if start < stop:
        sizes = [min(chunk, size - at) for at in range(0, size, chunk)]
        assert uniform_size(size, len(sizes), sizes[0], sizes[-1]) == chunk or len(sizes) == 1
        assert uniform_places(start, stop, size, chunk) == known_places(start, stop, sizes)


@pytest.mark.parametrize(
    ("size", "chunks", "first", "last"), [(10, 0, 0, 0), (10, 2, 5, 6), (10, 3, 4, 1), (10, 1, 9, 9), (0, 1, 0, 0)]
)
def test_chunks_that_are_not_even(size: int, chunks: int, first: int, last: int) -> None:
    assert uniform_size(size, chunks, first, last) is None
