"""Figures: medians, ratios that mean 'how many times as good', and the way through JSON and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interop.bench import work
from interop.bench.figures import Failure, Figures
from interop.bench.work import GO, MIB_BYTES, PYTHON, RUST, Better, Sample, Work, pair

RATE = work.get(100 * MIB_BYTES)
PYTHON_PAIR, GO_PAIR, RUST_PAIR = pair(PYTHON, PYTHON), pair(GO, GO), pair(RUST, RUST)


def filled(*values: tuple[Work, str, float]) -> Figures:
    figures = Figures({"machine": "one core"})
    figures.take(Sample(*value) for value in values)
    return figures


def test_the_median_is_of_all_values_and_not_moved_by_one_that_is_far_out() -> None:
    figures = filled(*((RATE, PYTHON_PAIR, value) for value in (300.0, 310.0, 5.0, 320.0, 305.0)))
    assert figures.median(RATE, PYTHON_PAIR) == 305.0
    assert figures.median(RATE, GO_PAIR) is None


def test_a_rate_is_as_many_times_as_good_as_it_is_higher() -> None:
    figures = filled((RATE, PYTHON_PAIR, 300.0), (RATE, GO_PAIR, 150.0))
    assert figures.ratio(RATE, PYTHON_PAIR, figures.base(RATE, GO)) == pytest.approx(2.0)


def test_a_time_is_as_many_times_as_good_as_it_is_shorter() -> None:
    figures = filled((work.LATENCY, PYTHON_PAIR, 0.4), (work.LATENCY, GO_PAIR, 0.1))
    assert figures.ratio(work.LATENCY, PYTHON_PAIR, figures.base(work.LATENCY, GO)) == pytest.approx(0.25)


def test_ratios_are_of_medians_and_not_medians_of_ratios() -> None:
    ours, theirs = (100.0, 200.0, 900.0), (400.0, 100.0, 300.0)
    figures = filled(*((RATE, PYTHON_PAIR, v) for v in ours), *((RATE, RUST_PAIR, v) for v in theirs))
    assert figures.ratio(RATE, PYTHON_PAIR, figures.base(RATE, RUST)) == pytest.approx(200 / 300)


def test_the_base_is_the_peer_among_itself_or_alone() -> None:
    figures = filled((RATE, GO_PAIR, 7.0), (work.START, GO, 9.0))
    assert (figures.base(RATE, GO), figures.base(work.START, GO)) == (7.0, 9.0)
    assert figures.base(RATE, RUST) is None


@pytest.mark.parametrize(
    ("value", "base"),
    [(None, 5.0), (5.0, None), (0.0, 5.0), (5.0, 0.0)],
)
def test_there_is_no_ratio_where_one_side_lacks_or_is_nothing(value: float | None, base: float | None) -> None:
    figures = filled() if value is None else filled((RATE, PYTHON_PAIR, value))
    assert figures.ratio(RATE, PYTHON_PAIR, base) is None


def test_what_is_not_to_be_compared_has_no_ratio() -> None:
    figures = filled((work.IDLE_CPU, PYTHON, 0.2), (work.IDLE_CPU, GO, 0.1))
    assert figures.ratio(work.IDLE_CPU, PYTHON, figures.base(work.IDLE_CPU, GO)) is None


def test_works_keep_the_order_in_which_they_came_up() -> None:
    figures = filled((RATE, GO_PAIR, 1.0), (work.START, PYTHON, 2.0), (RATE, PYTHON_PAIR, 3.0), (work.START, GO, 4.0))
    shown = [(series.work, series.who) for series in figures.series()]
    assert shown == [(RATE, GO_PAIR), (RATE, PYTHON_PAIR), (work.START, PYTHON), (work.START, GO)]


def test_of_several_failures_of_one_turn_the_last_is_kept() -> None:
    figures = Figures()
    for failure in (Failure("a", "first"), Failure("b", "other"), Failure("a", "last")):
        figures.failed(failure)
    assert figures.failures == [Failure("b", "other"), Failure("a", "last")]


def test_json_has_medians_and_ratios_for_others_to_read() -> None:
    figures = filled((RATE, PYTHON_PAIR, 300.0), (RATE, PYTHON_PAIR, 310.0), (RATE, GO_PAIR, 610.0))
    ours, theirs = figures.to_json()["figures"]
    assert ours["samples"] == [300.0, 310.0]
    assert (ours["median"], ours["low"], ours["high"]) == (305.0, 300.0, 310.0)
    assert (ours["to_go"], ours["to_rust"]) == (pytest.approx(0.5), None)
    assert "to_go" not in theirs


@given(
    st.lists(
        st.tuples(
            st.builds(Work, st.text(), st.text(), st.sampled_from(Better), st.text(), st.booleans()),
            st.text(),
            st.floats(allow_nan=False, allow_infinity=False),
        )
    )
)
def test_figures_come_back_from_their_json(values: list[tuple[Work, str, float]]) -> None:
    figures = filled(*values)
    figures.failed(Failure("what", "why"))
    back = Figures.from_json(json.loads(json.dumps(figures.to_json())))
    assert back.facts == figures.facts
    assert back.failures == figures.failures
    assert back.series() == figures.series()


@pytest.mark.parametrize("value", [{}, {"facts": {}, "failures": [], "figures": [{"work": "x"}]}, {"facts": None}])
def test_what_is_not_figures_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not the figures"):
        Figures.from_json(value)
