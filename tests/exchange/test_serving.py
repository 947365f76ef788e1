"""How many requests and bytes are served at once: of each peer, of all."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from chiral.errors import LimitExceededError
from chiral.exchange.serving import Serving
from chiral.exchange.settings import ExchangeSettings
from chiral.interface.peer import PeerId

ONE, TWO, THREE = (PeerId(bytes([0, 1, number])) for number in range(3))


def serving() -> Serving:
    return Serving(
        ExchangeSettings(max_serving=3, max_serving_per_peer=2, max_serving_bytes_per_peer=100, max_serving_bytes=150)
    )


def test_a_peer_has_so_many_requests_open_and_no_more() -> None:
    counts = serving()
    with ExitStack() as held:
        for peer in (ONE, ONE, TWO):
            held.enter_context(counts.request(peer))
        with pytest.raises(LimitExceededError, match="max_serving_per_peer"), counts.request(ONE):
            raise AssertionError("one too many")
        with pytest.raises(LimitExceededError, match=r"max_serving\)"), counts.request(TWO):
            raise AssertionError("one too many")
    with counts.request(ONE), counts.request(ONE):
        pass


def test_answers_held_are_bounded_for_one_peer_and_for_all() -> None:
    counts = serving()
    with ExitStack() as held:
        held.enter_context(counts.answer(ONE, 60))
        held.enter_context(counts.answer(ONE, 40))
        with pytest.raises(LimitExceededError, match="max_serving_bytes_per_peer"), counts.answer(ONE, 1):
            raise AssertionError("one byte too many")
        held.enter_context(counts.answer(TWO, 50))
        with pytest.raises(LimitExceededError, match=r"max_serving_bytes\)"), counts.answer(THREE, 1):
            raise AssertionError("one byte too many")
    with counts.answer(ONE, 100), counts.answer(TWO, 50):
        pass


def test_a_single_answer_passes_whatever_its_size_and_empty_ones_cost_nothing() -> None:
    counts = serving()
    with counts.answer(ONE, 1000), pytest.raises(LimitExceededError), counts.answer(TWO, 1):
        raise AssertionError("one byte too many")
    with counts.answer(ONE, 0), counts.answer(ONE, 0), counts.answer(ONE, 100):
        pass
    with counts.answer(ONE, 100):
        pass


def test_what_fails_within_is_given_back() -> None:
    counts = serving()
    for _ in range(5):
        with pytest.raises(ValueError, match="within"), counts.request(ONE), counts.answer(ONE, 100):
            raise ValueError("within")
    with counts.request(ONE), counts.request(ONE), counts.answer(ONE, 100):
        pass
