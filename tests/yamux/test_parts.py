"""The smaller nouns of Yamux by themselves: inbox, used ids, allowance, limits, liveness."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.yamux.allowance import Allowance
from chiral.yamux.frame import YamuxError
from chiral.yamux.ids import MAX_GAPS, UsedIds
from chiral.yamux.inbox import Inbox
from chiral.yamux.limits import YamuxLimits
from chiral.yamux.liveness import Liveness
from chiral.yamux.outbox import immutable
from chiral.yamux.window import WindowBudget

PIECES = st.lists(st.one_of(st.binary(max_size=20), st.integers(4000, 20_000).map(lambda size: b"p" * size)))


@given(PIECES, st.lists(st.tuples(st.sampled_from(["take", "peek", "back", "add"]), st.integers(0, 9000)), max_size=30))
def test_an_inbox_is_a_queue_of_bytes(pieces: list[bytes], steps: list[tuple[str, int]]) -> None:
    inbox, model = Inbox(), b""
    for piece in pieces:
        inbox.append(memoryview(b"<" + piece + b">"), 1, 1 + len(piece))
        model += piece
    for action, size in steps:
        if action == "take":
            assert inbox.take(size) == model[:size]
            model = model[size:]
        elif action == "peek":
            assert inbox.peek(size) == model[:size]
        elif action == "back":
            inbox.prepend(b"b" * size)
            model = b"b" * size + model
        else:
            inbox.append(memoryview(b"a" * size), 0, size)
            model += b"a" * size
        assert inbox.size == len(model)
    assert inbox.take_all() == model
    assert inbox.size == 0
    assert inbox.take_all() == b""


@given(st.lists(st.integers(0, 60).map(lambda number: 2 * number + 1), max_size=80))
def test_an_id_is_used_once_in_any_order(ids: list[int]) -> None:
    used, seen = UsedIds(1), set()
    for stream_id in ids:
        assert used.is_used(stream_id) is (stream_id in seen)
        assert used.use(stream_id) is (stream_id not in seen)
        seen.add(stream_id)


def test_gaps_between_ids_are_bounded() -> None:
    used = UsedIds(1)
    for number in range(1, 10_000):
        assert used.use(4 * number + 1)
    assert len(used._gaps) == MAX_GAPS
    assert not used.use(3), "the oldest gaps count as used"
    assert used.use(4 * 9_998 + 3)
    huge = UsedIds(1)
    assert huge.use(2**32 - 1)
    for number in range(1000):
        assert huge.use(1_000_001 + 4 * number)
    assert len(huge._gaps) <= MAX_GAPS


def test_an_allowance_is_a_burst_and_a_rate() -> None:
    allowance = Allowance("knocks", 3, 2.0, 0.0)
    for _ in range(3):
        allowance.spend(0.0)
    with pytest.raises(YamuxError, match="too many knocks"):
        allowance.spend(0.4)
    allowance.spend(0.6)
    for _ in range(3):
        allowance.spend(100.0)
    with pytest.raises(YamuxError):
        allowance.spend(100.0)


def test_an_allowance_does_not_refill_while_it_is_used_at_its_rate() -> None:
    allowance = Allowance("knocks", 10, 1.0, 0.0)
    for number in range(100):
        allowance.spend(float(number))
    for _ in range(10):
        allowance.spend(100.0)
    with pytest.raises(YamuxError):
        allowance.spend(100.0)


@pytest.mark.parametrize(
    "options",
    [
        {"max_unacknowledged": 0},
        {"max_outbound_streams": 0},
        {"max_stream_window_bytes": 1000},
        {"max_unread_bytes": 1000},
        {"window_growth_bytes": -1},
        {"new_window_bytes": 1000},
        {"new_window_bytes": 1 << 30},
        {"send_backlog_bytes": 0},
        {"ping_interval_s": 0},
        {"ping_timeout_s": -1},
    ],
)
def test_limits_that_contradict(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        YamuxLimits(**options)


def test_a_late_answer_is_not_an_answer_to_another_ping() -> None:
    liveness = Liveness(10.0, 5.0, 0.0)
    assert liveness.ping(0.0) == 1
    assert liveness.ping(1.0) is None
    assert liveness.answered(2, 1.0) is None
    assert liveness.answered(1, 1.0) == 1.0
    assert liveness.answered(1, 1.0) is None
    assert not liveness.is_gone(1000.0)


def test_what_may_change_is_copied_and_what_may_not_is_not() -> None:
    data = b"immutable"
    assert immutable(data).obj is data
    assert immutable(memoryview(data)[2:]).obj is data
    changing = bytearray(b"changing")
    copies = [immutable(changing), immutable(memoryview(changing))]
    changing[:] = b"CHANGING"
    assert [bytes(copy) for copy in copies] == [b"changing"] * 2


def test_new_windows_shrink_as_the_budget_runs_low() -> None:
    budget = WindowBudget(1024 * 1024, 16 * 1024 * 1024, 1024 * 1024)
    budget.start_bytes = 1024 * 1024
    assert [budget.start() for _ in range(4)] == [1024 * 1024, 512 * 1024, 256 * 1024, 256 * 1024]
    assert budget.free_bytes == 0


def test_an_idle_connection_is_pinged_by_one_side_alone() -> None:
    ours, theirs = (Liveness(10.0, 10.0, 0.0, quiet_s=quiet_s) for quiet_s in (15.0, 18.0))
    pings = [0, 0]
    for now in range(600):
        for side, (sender, receiver) in enumerate([(ours, theirs), (theirs, ours)]):
            value = sender.ping(float(now), idle=True)
            if value is not None:
                pings[side] += 1
                receiver.heard(float(now))
                sender.heard(float(now))
                assert sender.answered(value, float(now)) == 0.0
    assert pings == [600 // 15, 1]


def test_the_silent_peer_of_an_idle_connection_is_noticed_in_half_a_minute() -> None:
    limits = YamuxLimits()
    for initiator in (True, False):
        liveness = Liveness(
            limits.ping_interval_s, limits.ping_timeout_s, 0.0, quiet_s=limits.quiet_s(initiator=initiator)
        )
        value = liveness.ping(0.0, idle=True)
        assert value is not None
        liveness.heard(0.0)
        liveness.answered(value, 0.0)
        now = 0.0
        while not liveness.is_gone(now):
            liveness.ping(now, idle=True)
            now = max(now + 0.001, liveness.deadline(now))
        assert now < 30.0
