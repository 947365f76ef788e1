"""Virtual time: order, delays, limits."""

from __future__ import annotations

from tests.simulation.engine import Engine


def test_actions_run_in_the_order_of_their_times_and_then_of_their_asking() -> None:
    engine, done = Engine(), []
    engine.after(2.0, lambda: done.append("late"))
    engine.after(1.0, lambda: done.append("first"))
    engine.after(1.0, lambda: done.append("second"))
    engine.run()
    assert done == ["first", "second", "late"]
    assert engine.now == 2.0


def test_a_run_stops_at_its_limit_and_goes_on_from_there() -> None:
    engine, done = Engine(), []
    engine.at(5.0, lambda: done.append(engine.now))
    engine.run(4.0)
    assert (engine.now, done, len(engine)) == (4.0, [], 1)
    engine.run(5.0)
    assert done == [5.0]


def test_what_should_have_been_runs_at_once_after_what_waits() -> None:
    engine, done = Engine(), []
    engine.run(10.0)
    engine.at(10.0, lambda: done.append("waiting"))
    engine.at(3.0, lambda: done.append("late"))
    engine.run()
    assert done == ["waiting", "late"]
    assert engine.now == 10.0


def test_an_action_can_ask_for_others() -> None:
    engine, done = Engine(), []
    engine.after(1.0, lambda: engine.after(1.0, lambda: done.append(engine.now)))
    engine.run()
    assert done == [2.0]
