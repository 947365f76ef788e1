"""The session's decisions: order, windows, failures, trust, and that every block is asked for until it has come."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from chiral.transfer.peer_state import FIRST_WINDOW
from chiral.transfer.session import Failure, Session
from chiral.transfer.settings import TransferSettings

MIB_BYTES = 1 << 20


def session(wanted: range | list[int], *, block_bytes: int = 0, **changes: float) -> Session[str]:
    return Session(wanted, TransferSettings.model_validate(changes), block_bytes=block_bytes)


def bring(run: Session[str], peer: str, index: int, now: float, size: int = 1000) -> None:
    """The peer answers with the block, and it is sound."""
    assert run.arrived(peer, index, size, now)
    run.received(peer, index, size)


def asked(run: Session[str], now: float = 0.0) -> list[int]:
    return [index for _, index in run.next_requests(now)]


class TestOrder:
    def test_the_next_needed_are_asked_first_within_the_first_window(self) -> None:
        run = session(range(100))
        run.add_peer("a", 0.0)
        assert run.next_requests(0.0) == [("a", index) for index in range(FIRST_WINDOW)]
        assert run.next_requests(0.0) == []

    def test_peers_share_by_how_free_their_windows_are(self) -> None:
        run = session(range(100))
        run.add_peer("a", 0.0)
        run.add_peer("b", 0.0)
        requests = run.next_requests(0.0)
        assert [index for _, index in requests] == list(range(2 * FIRST_WINDOW))
        assert sum(1 for peer, _ in requests if peer == "a") == FIRST_WINDOW

    def test_nothing_beyond_the_lookahead_is_asked_until_the_reader_moves(self) -> None:
        run = session(range(100), lookahead=4)
        run.add_peer("a", 0.0)
        assert asked(run) == [0, 1, 2, 3]
        for index in range(4):
            bring(run, "a", index, 0.0)
        assert asked(run) == []
        run.position = 2
        assert asked(run) == [4, 5]

    def test_the_lookahead_counts_wanted_blocks_alone(self) -> None:
        run = session([50, 51, 90, 91], lookahead=3)
        run.add_peer("a", 0.0)
        assert asked(run) == [50, 51, 90]

    def test_big_blocks_shorten_the_lookahead(self) -> None:
        run = session(range(100), lookahead=64, lookahead_bytes=4 * MIB_BYTES, block_bytes=2 * MIB_BYTES)
        run.add_peer("a", 0.0)
        assert asked(run) == [0, 1]

    def test_blocks_that_turn_out_bigger_shorten_it_too(self) -> None:
        run = session(range(100), lookahead_bytes=4 * MIB_BYTES, block_bytes=1)
        run.add_peer("a", 0.0)
        for index in asked(run):
            bring(run, "a", index, 0.0, 2 * MIB_BYTES)
        run.position = FIRST_WINDOW
        assert asked(run) == [FIRST_WINDOW, FIRST_WINDOW + 1]

    def test_a_place_is_free_as_soon_as_the_answer_is_there(self) -> None:
        """Else the link would lie idle while blocks are hashed and written."""
        run = session(range(100))
        run.add_peer("a", 0.0)
        asked(run)
        run.arrived("a", 0, 1000, 1.0)
        assert FIRST_WINDOW in asked(run, 1.0)
        assert not run.done

    def test_nothing_wanted_is_done_at_once(self) -> None:
        run = session([])
        assert run.done
        assert not run.stuck()
        assert run.first_missing() is None
        assert run.wake_at(0.0) is None


class TestWindow:
    def test_it_grows_while_the_rate_does_and_stops_at_the_limit(self) -> None:
        run = session(range(10_000), lookahead=10_000)
        run.add_peer("a", 0.0)
        now = 0.0
        for _ in range(20):
            batch = run.next_requests(now)
            now += 1.0  # a path with latency: the rate is the window
            for peer, index in batch:
                bring(run, peer, index, now)
        assert run.peers["a"].window == 64

    def test_it_stays_where_a_wider_one_brings_nothing(self) -> None:
        run = session(range(10_000), lookahead=10_000)
        run.add_peer("a", 0.0)
        now = 0.0
        for _ in range(40):
            for peer, index in run.next_requests(now):
                now += 0.1  # a path without latency: the rate is what the link carries
                bring(run, peer, index, now)
        assert run.peers["a"].window <= 2 * FIRST_WINDOW

    def test_a_path_that_got_slower_is_learnt_anew(self) -> None:
        run = session(range(10_000), lookahead=10_000)
        run.add_peer("a", 0.0)
        now = 0.0
        for pace in (0.001, 1.0):
            for _ in range(8):
                batch = run.next_requests(now)
                now += pace
                for peer, index in batch:
                    bring(run, peer, index, now)
        assert run.peers["a"].best_rate < 1000 * 65


class TestFaults:
    def test_a_block_that_failed_is_asked_again_after_a_rest_that_doubles(self) -> None:
        run = session(range(1))
        run.add_peer("a", 0.0)
        now = 0.0
        for rest in (0.25, 0.5, 1.0):
            assert run.next_requests(now) == [("a", 0)]
            run.failed("a", 0, Failure.FAULT, now)
            assert run.next_requests(now) == []
            assert run.wake_at(now) == now + rest
            now += rest
        run.next_requests(now)
        run.failed("a", 0, Failure.FAULT, now)
        assert run.usable() == []
        assert run.stuck()

    def test_no_rest_is_longer_than_half_a_minute(self) -> None:
        run = session(range(1), max_failures=1000)
        run.add_peer("a", 0.0)
        now = 0.0
        for _ in range(100):
            run.next_requests(now)
            run.failed("a", 0, Failure.FAULT, now)
            resumes_at = run.wake_at(now)
            assert resumes_at is not None
            assert resumes_at - now <= 30.0
            now = resumes_at

    def test_requests_that_fail_together_count_as_one_failure(self) -> None:
        run = session(range(8))
        run.add_peer("a", 0.0)
        for peer, index in run.next_requests(0.0):
            run.failed(peer, index, Failure.FAULT, 0.0)
        assert run.peers["a"].failures == 1
        assert run.usable() == ["a"]

    def test_an_answer_makes_up_for_failures(self) -> None:
        run = session(range(8), max_failures=2, lookahead=1)
        run.add_peer("a", 0.0)
        now = 0.0
        for index in range(8):
            run.next_requests(now)
            run.failed("a", index, Failure.FAULT, now)
            now += 1.0
            assert asked(run, now) == [index]
            bring(run, "a", index, now)
            run.position = index + 1
        assert run.done

    def test_what_a_peer_owes_when_it_is_given_up_is_asked_elsewhere(self) -> None:
        run = session(range(2), max_failures=1)
        run.add_peer("a", 0.0)
        assert asked(run) == [0, 1]
        run.add_peer("b", 0.0)
        run.failed("a", 0, Failure.FAULT, 0.0)
        assert sorted(run.next_requests(0.0)) == [("b", 0), ("b", 1)]
        run.failed("a", 1, Failure.FAULT, 0.0)  # its request ends at last
        assert run.next_requests(0.0) == []

    def test_what_comes_after_all_from_a_peer_given_up_is_not_asked_again(self) -> None:
        run = session(range(2), max_failures=1)
        run.add_peer("a", 0.0)
        asked(run)
        run.failed("a", 0, Failure.FAULT, 0.0)
        bring(run, "a", 1, 0.0)
        run.add_peer("b", 0.0)
        assert run.next_requests(0.0) == [("b", 0)]

    def test_a_liar_is_out_for_good_and_its_block_asked_elsewhere(self) -> None:
        run = session(range(2))
        run.add_peer("a", 0.0)
        run.add_peer("b", 0.0)
        liar = next(peer for peer, index in run.next_requests(0.0) if index == 0)
        honest = "b" if liar == "a" else "a"
        run.arrived(liar, 0, 10, 0.0)
        run.failed(liar, 0, Failure.LIED, 0.0)
        assert run.usable() == [honest]
        assert (honest, 0) in run.next_requests(0.0)
        assert not run.add_peer(liar, 1.0)


class TestLacking:
    def test_a_peer_is_not_asked_again_for_what_it_lacks(self) -> None:
        run = session(range(2))
        run.add_peer("a", 0.0)
        run.next_requests(0.0)
        run.failed("a", 0, Failure.LACKED, 0.0)
        bring(run, "a", 1, 0.0)
        assert run.next_requests(0.0) == []
        assert run.stuck()
        run.add_peer("b", 0.0)
        assert not run.stuck()
        assert run.next_requests(0.0) == [("b", 0)]

    def test_one_that_a_search_names_again_is_asked_for_what_it_lacked(self) -> None:
        run = session(range(2))
        assert run.add_peer("a", 0.0)
        assert not run.add_peer("a", 0.0), "nothing new"
        run.next_requests(0.0)
        run.failed("a", 0, Failure.LACKED, 0.0)
        run.failed("a", 1, Failure.LACKED, 0.0)
        assert run.stuck()
        assert not run.add_peer("a", 0.1, claims=False)
        assert run.add_peer("a", 0.1)
        assert not run.stuck()
        assert run.next_requests(0.1) == [("a", 0), ("a", 1)]

    def test_stuck_is_known_while_later_blocks_still_come(self) -> None:
        run = session(range(8))
        run.add_peer("a", 0.0)
        asked(run)
        run.failed("a", 0, Failure.LACKED, 0.0)
        assert run.stuck()

    def test_a_block_that_has_arrived_is_not_what_a_session_is_stuck_on(self) -> None:
        run = session(range(1), max_failures=1)
        run.add_peer("a", 0.0)
        asked(run)
        run.arrived("a", 0, 10, 0.0)
        run.peers["a"].gone = True
        assert not run.stuck()

    def test_one_that_lacks_block_after_block_costs_the_others_nothing(self) -> None:
        run = session(range(1000), lookahead=1000)
        run.add_peer("without", 0.0)
        run.add_peer("holder", 0.0)
        wasted = 0
        now = 0.0
        for _ in range(100):
            for peer, index in run.next_requests(now):
                if peer == "holder":
                    bring(run, peer, index, now)
                else:
                    wasted += 1
                    run.failed(peer, index, Failure.LACKED, now)
            now += 0.01
        assert run.done
        assert wasted < 30

    def test_one_that_gets_more_of_the_file_is_trusted_again(self) -> None:
        run = session(range(100), lookahead=100)
        run.add_peer("partial", 0.0)
        run.add_peer("holder", 0.0)
        for peer, index in run.next_requests(0.0):
            if peer == "partial":
                run.failed(peer, index, Failure.LACKED, 0.0)
        assert {peer for peer, _ in run.next_requests(0.1)} == set()
        later = run.next_requests(0.0 + 1.0)
        assert [peer for peer, _ in later] == ["partial"] * FIRST_WINDOW
        bring(run, "partial", later[0][1], 1.0)
        assert run.peers["partial"].lacked_in_row == 0

    def test_one_that_claims_nothing_is_asked_last_and_trusted_once_it_proves_itself(self) -> None:
        run = session(range(40))
        run.add_peer("connected", 0.0, claims=False)
        run.add_peer("provider", 0.0)
        assert {peer for peer, _ in run.next_requests(0.0)} == {"provider"}
        run.failed("provider", 0, Failure.LACKED, 0.0)
        requests = run.next_requests(0.0)
        assert ("connected", 0) in requests
        bring(run, "connected", 0, 0.0)
        assert {peer for peer, _ in run.next_requests(0.0)} >= {"connected"}

    def test_one_that_claims_nothing_is_asked_where_there_is_nobody_else(self) -> None:
        run = session(range(4))
        run.add_peer("connected", 0.0, claims=False)
        assert asked(run) == [0, 1, 2, 3]

    def test_one_found_connected_and_then_as_provider_is_trusted(self) -> None:
        run = session(range(4))
        run.add_peer("a", 0.0, claims=False)
        assert run.add_peer("a", 0.0)
        assert run.peers["a"].trusted(0.0)
        assert not run.add_peer("a", 0.0)


class TestEnoughPeers:
    def test_more_are_not_asked(self) -> None:
        run = session(range(4), max_providers=2)
        assert run.add_peer("a", 0.0)
        assert run.add_peer("b", 0.0)
        assert not run.add_peer("c", 0.0)
        assert run.add_peer("d", 0.0, claims=False)

    def test_those_that_lack_what_is_needed_first_do_not_count(self) -> None:
        run = session(range(1), max_providers=2)
        for peer in "ab":
            run.add_peer(peer, 0.0)
            run.next_requests(0.0)
            run.failed(peer, 0, Failure.LACKED, 0.0)
        assert run.stuck()
        assert run.add_peer("c", 0.0)
        assert run.next_requests(0.0) == [("c", 0)]


class TestPatience:
    def test_an_idle_peer_is_asked_for_what_another_owes_for_long(self) -> None:
        run = session(range(FIRST_WINDOW), patience_s=5.0)
        run.add_peer("stalled", 0.0)
        assert len(asked(run)) == FIRST_WINDOW
        run.add_peer("idle", 1.0)
        assert asked(run, 1.0) == []
        assert run.wake_at(1.0) == 5.0
        assert sorted(run.next_requests(5.0)) == [("idle", index) for index in range(FIRST_WINDOW)]
        assert asked(run, 60.0) == []

    def test_not_while_it_has_something_else_to_do(self) -> None:
        run = session(range(100), patience_s=5.0)
        run.add_peer("stalled", 0.0)
        asked(run)
        run.add_peer("busy", 6.0)
        assert min(asked(run, 6.0)) == FIRST_WINDOW

    def test_the_second_answer_is_not_needed(self) -> None:
        run = session(range(1), patience_s=1.0)
        run.add_peer("slow", 0.0)
        asked(run)
        run.add_peer("idle", 0.0)
        assert run.next_requests(1.0) == [("idle", 0)]
        bring(run, "idle", 0, 1.0)
        assert run.done
        assert not run.arrived("slow", 0, 1000, 2.0)

    def test_a_second_answer_while_the_first_is_verified_is_not_needed(self) -> None:
        run = session(range(1), patience_s=1.0)
        run.add_peer("liar", 0.0)
        asked(run)
        run.add_peer("idle", 0.0)
        asked(run, 1.0)
        run.arrived("liar", 0, 1000, 1.0)
        assert not run.arrived("idle", 0, 1000, 1.0)
        run.failed("liar", 0, Failure.LIED, 1.0)
        assert run.next_requests(1.0) == [("idle", 0)]

    def test_one_peer_alone_is_not_asked_twice(self) -> None:
        run = session(range(2), patience_s=1.0)
        run.add_peer("a", 0.0)
        asked(run)
        assert asked(run, 10.0) == []
        assert run.wake_at(10.0) is None


class Play:
    """A session whose peers answer in any order, some with failures; peer "0" is sound."""

    def __init__(self, blocks: int, peers: int, seed: int) -> None:
        self.blocks = blocks
        self.chance = random.Random(seed)
        self.run = session(range(blocks), lookahead=16, max_providers=4)
        for number in range(peers):
            self.run.add_peer(str(number), 0.0, claims=number == 0 or self.chance.random() < 0.5)
        self.got: list[int] = []
        self.flying: list[tuple[str, int]] = []

    def turn(self, now: float) -> None:
        for request in self.run.next_requests(now):
            assert request not in self.flying
            assert request[1] not in self.got
            self.flying.append(request)
        self.chance.shuffle(self.flying)
        for peer, index in [self.flying.pop() for _ in range(self.chance.randint(0, len(self.flying)))]:
            outcome = self.chance.random()
            if peer == "0" or outcome < 0.4:
                self.sound(peer, index, now)
            elif outcome < 0.9:
                self.unsound(peer, index, now)
        self.run.position = min(set(range(self.blocks)) - set(self.got), default=self.blocks)

    def sound(self, peer: str, index: int, now: float) -> None:
        if self.run.arrived(peer, index, 100, now):
            self.run.received(peer, index, 100)
            self.got.append(index)

    def unsound(self, peer: str, index: int, now: float) -> None:
        why = self.chance.choice(list(Failure))
        if why is not Failure.LIED or self.run.arrived(peer, index, 100, now):
            self.run.failed(peer, index, why, now)


@given(st.integers(0, 60), st.integers(1, 4), st.integers(0, 2**32))
def test_every_block_comes_whatever_fails_as_long_as_one_peer_is_sound(blocks: int, peers: int, seed: int) -> None:
    """Some answers never come; nothing is in flight twice at one peer, nothing is asked once it is here."""
    play = Play(blocks, peers, seed)
    for turn in range(10_000):
        if play.run.done:
            break
        play.turn(turn / 10)
    assert play.run.done
    assert sorted(play.got) == list(range(blocks))
