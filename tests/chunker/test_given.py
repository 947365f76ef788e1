from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chiral.chunker.given import GivenChunker


@given(st.lists(st.integers(1, 9), max_size=12), st.lists(st.integers(0, 20), max_size=12), st.integers(0, 30))
def test_pieces_have_the_sizes_given_however_the_bytes_come(sizes: list[int], feeds: list[int], more: int) -> None:
    data = bytes(index % 251 for index in range(sum(sizes) + more))
    splitter = GivenChunker(tuple(sizes)).splitter()
    pieces: list[bytes] = []
    at = 0
    for feed in feeds:
        pieces += splitter.feed(data[at : at + feed])
        at += feed
    pieces += [*splitter.feed(data[at:]), *splitter.finish()]
    assert b"".join(pieces) == data
    assert [len(piece) for piece in pieces] == [*sizes, *([more] if more else [])]


def test_after_its_end_it_is_as_new() -> None:
    splitter = GivenChunker((2, 3)).splitter()
    assert [*splitter.feed(b"abcd"), *splitter.finish()] == [b"ab", b"cd"]
    assert [*splitter.feed(b"abcde"), *splitter.finish()] == [b"ab", b"cde"]


def test_it_is_the_same_for_every_size() -> None:
    chunker = GivenChunker((1,))
    assert chunker.for_size(None) is chunker.for_size(9) is chunker
    assert chunker.name == "given"
