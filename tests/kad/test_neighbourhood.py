"""When a neighbourhood has changed so much that records are to be announced again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chiral.interface.peer import PeerId
from chiral.kad.neighbourhood import Neighbourhood
from tests.fakes.stream_node import peer_id

K = 20


def peers(*numbers: int) -> list[PeerId]:
    return [peer_id(number) for number in numbers]


def marked(k: int, *numbers: int) -> Neighbourhood:
    watch = Neighbourhood(k)
    assert not watch.look(peers(*numbers), 0.0)
    assert watch.changes(peers(*numbers)) == 0
    return watch


def test_the_first_peers_are_marked_and_no_change() -> None:
    watch = Neighbourhood(K)
    assert not watch.look([], 0.0)
    assert not watch.look(peers(1), 0.0)
    assert watch.changes(peers(1)) == 0
    assert watch.changes(peers(1, 2)) == 1


def test_a_full_neighbourhood_is_new_after_k_changes() -> None:
    watch = marked(K, *range(K))
    for replaced in range(1, 10):
        assert not watch.look(peers(*range(replaced, K + replaced)), 0.0)
        assert watch.changes(peers(*range(replaced, K + replaced))) == 2 * replaced
    assert watch.look(peers(*range(10, K + 10)), 0.0)
    assert watch.changes(peers(*range(10, K + 10))) == 0
    assert not watch.look(peers(*range(19, K + 19)), 0.0)


def test_a_small_neighbourhood_is_new_when_it_has_doubled() -> None:
    watch = Neighbourhood(K)
    grown = [size for size in range(1, 60) if watch.look(peers(*range(min(size, K))), 0.0)]
    assert grown == [2, 4, 8, 16]


def test_who_goes_and_comes_back_changes_nothing() -> None:
    watch = marked(4, 1, 2, 3, 4)
    for _ in range(20):
        assert not watch.look(peers(2, 3, 4), 0.0)
        assert not watch.look(peers(1, 2, 3, 4), 0.0)


def test_where_nobody_came_there_is_nobody_to_tell() -> None:
    watch = marked(4, 1, 2, 3, 4)
    assert not watch.look(peers(1), 0.0)
    assert not watch.look([], 0.0)
    assert watch.look(peers(9), 0.0)


def test_after_a_mark_it_rests() -> None:
    watch = Neighbourhood(4, rest_s=100.0)
    watch.look(peers(1, 2, 3, 4), 10.0)
    assert not watch.look(peers(5, 6, 7, 8), 109.0)
    assert watch.look(peers(5, 6, 7, 8), 110.0)
    assert not watch.look(peers(1, 2, 3, 4), 209.0)
    assert watch.look(peers(1, 2, 3, 4), 210.0)


@given(st.lists(st.frozensets(st.integers(0, 40), max_size=K), max_size=40))
def test_between_two_marks_fewer_than_half_of_the_full_neighbourhood_are_new(steps: list[frozenset[int]]) -> None:
    watch = Neighbourhood(K)
    at_mark: frozenset[int] = frozenset()
    for step in steps:
        if watch.look(peers(*step), 0.0):
            assert step - at_mark
            at_mark = step
        elif not at_mark:
            at_mark = step
        elif len(step) == len(at_mark) == K:
            assert len(step - at_mark) < K / 2
