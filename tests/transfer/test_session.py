"""The session's decisions: order, windows, failures, and that every block is asked for until it has come."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from chiral.transfer.session import FIRST_WINDOW, Failure, Session


def session(wanted: range | list[int], **changes: float) -> Session[str]:
    options = {"max_window": 64, "lookahead": 128, "retry_s": 0.25, "max_failures": 4} | changes
    return Session(
        wanted,
        max_window=int(options["max_window"]),
        lookahead=int(options["lookahead"]),
        retry_s=options["retry_s"],
        max_failures=int(options["max_failures"]),
    )


def test_the_next_needed_are_asked_first_within_the_first_window() -> None:
    asked = session(range(100))
    asked.add_peer("a", 0.0)
    assert asked.next_requests(0.0) == [("a", index) for index in range(FIRST_WINDOW)]
    assert asked.next_requests(0.0) == []


def test_peers_share_by_how_free_their_windows_are() -> None:
    shared = session(range(100))
    shared.add_peer("a", 0.0)
    shared.add_peer("b", 0.0)
    requests = shared.next_requests(0.0)
    assert [index for _, index in requests] == list(range(2 * FIRST_WINDOW))
    assert sum(1 for peer, _ in requests if peer == "a") == FIRST_WINDOW


def test_nothing_beyond_the_lookahead_is_asked_until_the_reader_moves() -> None:
    bounded = session(range(100), lookahead=4)
    bounded.add_peer("a", 0.0)
    assert [index for _, index in bounded.next_requests(0.0)] == [0, 1, 2, 3]
    bounded.position = 2
    assert [index for _, index in bounded.next_requests(0.0)] == [4, 5]


def test_the_window_grows_while_the_rate_does_and_stops_at_the_limit() -> None:
    growing = session(range(10_000), lookahead=10_000)
    growing.add_peer("a", 0.0)
    now = 0.0
    for _ in range(20):
        batch = growing.next_requests(now)
        now += 1.0  # a path with latency: the rate is the window
        for peer, index in batch:
            growing.received(peer, index, 1000, now)
    assert growing.peers["a"].window == 64


def test_a_block_that_failed_is_asked_again_after_a_rest_that_doubles() -> None:
    failing = session(range(1))
    failing.add_peer("a", 0.0)
    now = 0.0
    for rest in (0.25, 0.5, 1.0):
        assert failing.next_requests(now) == [("a", 0)]
        failing.failed("a", 0, Failure.FAULT, now)
        assert failing.next_requests(now) == []
        assert failing.wake_at(now) == now + rest
        now += rest
    failing.next_requests(now)
    failing.failed("a", 0, Failure.FAULT, now)
    assert failing.usable() == []
    assert failing.stuck()


def test_requests_that_fail_together_count_as_one_failure() -> None:
    together = session(range(8))
    together.add_peer("a", 0.0)
    for peer, index in together.next_requests(0.0):
        together.failed(peer, index, Failure.FAULT, 0.0)
    assert together.peers["a"].failures == 1
    assert together.usable() == ["a"]


def test_a_peer_that_lacks_a_block_is_not_asked_for_it_again() -> None:
    lacking = session(range(2))
    lacking.add_peer("a", 0.0)
    lacking.next_requests(0.0)
    lacking.failed("a", 0, Failure.LACKED, 0.0)
    lacking.received("a", 1, 10, 0.0)
    assert lacking.next_requests(0.0) == []
    assert lacking.stuck()
    lacking.add_peer("b", 0.0)
    assert not lacking.stuck()
    assert lacking.next_requests(0.0) == [("b", 0)]


def test_a_liar_is_out_for_good() -> None:
    lied_to = session(range(2))
    lied_to.add_peer("a", 0.0)
    lied_to.next_requests(0.0)
    lied_to.failed("a", 0, Failure.LIED, 0.0)
    assert lied_to.usable() == []
    assert not lied_to.add_peer("a", 1.0)


@given(st.integers(0, 60), st.integers(1, 4), st.integers(0, 2**32))
def test_every_block_comes_whatever_fails_as_long_as_one_peer_is_sound(blocks: int, peers: int, seed: int) -> None:
    chance = random.Random(seed)
    run = session(range(blocks), lookahead=16)
    for number in range(peers):
        run.add_peer(str(number), 0.0)
    got: list[int] = []
    now = 0.0
    for _ in range(10_000):
        if run.done:
            break
        for peer, index in run.next_requests(now):
            outcome = chance.random()
            if peer == "0" or outcome < 0.4:
                run.received(peer, index, 100, now)
                got.append(index)
            else:
                run.failed(peer, index, chance.choice(list(Failure)), now)
        run.position = min(set(range(blocks)) - set(got), default=blocks)
        now += 0.1
    assert run.done
    assert sorted(got) == list(range(blocks))
