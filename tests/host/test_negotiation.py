"""The words of multistream-select and both sides of its negotiation, whole, in pieces, and against anything at all."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.errors import ProtocolError, UnsupportedProtocolError
from chiral.host.multistream import HEADER, MAX_LINE_BYTES, NA, line, opening, read_line
from chiral.host.negotiation import MAX_PROPOSALS, Answering, Proposal

ECHO, OTHER = "/echo/1.0.0", "/other/2.0.0"
SPOKEN = frozenset({ECHO})
NAMES = st.text(st.characters(blacklist_characters="\n", blacklist_categories=("Cs",)), min_size=1, max_size=60)


def answer_in_pieces(answering: Answering, data: bytes, cuts: list[int]) -> str | None:
    """What `answering` agrees to when `data` comes cut at `cuts`; what is over after that is fed no more."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, stop in pairwise(edges):
        agreed = answering.take(data[start:stop])
        if agreed is not None:
            return agreed
    return None


def test_the_header_is_the_bytes_of_the_specification() -> None:
    assert HEADER == b"\x13/multistream/1.0.0\n"
    assert NA == b"\x03na\n"
    assert opening(ECHO) == HEADER + b"\x0c/echo/1.0.0\n"


@given(NAMES)
def test_a_line_is_read_as_it_was_written_and_not_before_it_is_whole(word: str) -> None:
    whole = line(word)
    for end in range(len(whole)):
        assert read_line(whole[:end]) is None
    found = read_line(b"xx" + whole + b"rest", 2)
    assert found is not None
    assert (found.word, found.end) == (word.encode(), 2 + len(whole))


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\x81\x80",
        b"\x80\x80",
        b"\xff" * 20,
        b"\x81\x08" + b"x" * MAX_LINE_BYTES + b"\n",
        b"\x03abc",
        b"\x81\x00a",
    ],
    ids=["empty", "endless", "endless zero", "never ends", "too long", "no end of line", "not minimal"],
)
def test_a_line_that_cannot_become_one_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_line(data)


def test_the_longest_line_is_taken() -> None:
    assert read_line(line("x" * (MAX_LINE_BYTES - 1))) is not None


@given(st.binary(max_size=100))
def test_any_bytes_are_a_line_or_more_is_needed_or_a_fault(data: bytes) -> None:
    try:
        found = read_line(data)
    except ProtocolError:
        return
    assert found is None or found.end <= len(data)


# -- The asking side


@given(st.lists(st.integers(0, 100), max_size=8))
def test_a_proposal_is_agreed_by_its_own_words_however_they_are_cut(cuts: list[int]) -> None:
    proposal = Proposal(ECHO)
    data = proposal.words
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    for start, stop in pairwise(edges):
        assert proposal.wanted == len(data) - start
        proposal.take(data[start:stop])
    assert proposal.wanted == 0


def test_after_a_refusal_the_header_is_not_said_again() -> None:
    proposal = Proposal(OTHER, greeted=True)
    assert proposal.words == line(OTHER)
    proposal.take(line(OTHER))
    assert proposal.wanted == 0


@pytest.mark.parametrize("step", [1, 2, 100])
@pytest.mark.parametrize("greeted", [False, True])
def test_a_refusal_says_which_protocol_is_not_spoken(step: int, greeted: bool) -> None:
    proposal = Proposal("/", greeted=greeted)  # its confirmation is shorter than the refusal
    data = NA if greeted else HEADER + NA

    def take_all() -> None:
        for start in range(0, len(data), step):
            proposal.take(data[start : start + step])

    with pytest.raises(UnsupportedProtocolError, match="/ was refused"):
        take_all()


@pytest.mark.parametrize(
    "said", [line("/multistream/2.0.0"), HEADER + line(OTHER), b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
def test_another_answer_is_a_fault_of_the_protocol(said: bytes) -> None:
    with pytest.raises(ProtocolError):
        Proposal(ECHO).take(said)


@given(st.binary(max_size=200))
def test_no_bytes_agree_but_the_right_ones(data: bytes) -> None:
    proposal = Proposal(ECHO)
    try:
        proposal.take(data[: proposal.wanted])
    except (ProtocolError, UnsupportedProtocolError):
        return
    assert proposal.wanted > 0


# -- The answering side


@given(st.lists(NAMES.filter(lambda name: name != ECHO), max_size=5), st.binary(max_size=40), st.lists(st.integers(0)))
def test_the_first_protocol_spoken_is_agreed_to_and_what_follows_is_kept(
    others: list[str], rest: bytes, cuts: list[int]
) -> None:
    data = HEADER + b"".join(map(line, others)) + line(ECHO)
    answering = Answering(SPOKEN)
    assert answer_in_pieces(answering, data, cuts) == ECHO
    assert answering.words == HEADER + NA * len(others) + line(ECHO)
    whole = Answering(SPOKEN)
    assert whole.take(data + rest) == ECHO
    assert whole.rest == rest


def test_as_many_bytes_are_wanted_as_the_line_still_has() -> None:
    long = "/long/" + "x" * 300
    data = HEADER + line(long) + line(ECHO)
    answering = Answering(SPOKEN)
    agreed, position, reads = None, 0, 0
    while agreed is None:
        step = answering.wanted
        assert step > 0
        agreed = answering.take(data[position : position + step])
        position += step
        reads += 1
    assert (agreed, position, answering.rest) == (ECHO, len(data), b"")
    assert reads < 10


def test_a_name_that_is_not_utf8_is_refused_and_the_next_one_heard() -> None:
    answering = Answering(SPOKEN)
    assert answering.take(HEADER + b"\x04\xff\xfe\x80\n" + line(ECHO)) == ECHO
    assert answering.words == HEADER + NA + line(ECHO)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n", line(ECHO), b"\xff" * 30, b"\x13/multistream/9.0.0\n"])
def test_an_opening_without_the_header_is_refused(said: bytes) -> None:
    with pytest.raises(ProtocolError):
        Answering(SPOKEN).take(said)


def test_proposals_without_end_are_cut_off() -> None:
    answering = Answering(SPOKEN)
    assert answering.take(HEADER + line(OTHER) * (MAX_PROPOSALS - 1)) is None
    with pytest.raises(ProtocolError, match="proposed"):
        answering.take(line(OTHER))


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_anything_said_to_the_answering_side_is_answered_or_a_fault(pieces: list[bytes]) -> None:
    answering = Answering(SPOKEN)
    answering.take(HEADER)
    for piece in pieces:
        try:
            agreed = answering.take(piece)
        except ProtocolError:
            return
        if agreed is not None:
            return
        assert len(answering.rest) <= MAX_LINE_BYTES + 2
