"""Rounds: every contestant has its turn before any has the next, so that noise of the machine falls on all alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import trio

from chiral.errors import ChiralError
from interop.bench.run import Run
from interop.bench.table import progress_line
from interop.bench.work import Sample
from interop.build import BuildError
from interop.child import PeerError

FAULTS = (PeerError, ChiralError, BuildError, OSError, trio.TooSlowError)
"""What ends a turn without a figure; anything else is a fault of the benchmark and ends that."""
_TURN_S = 180.0
_TRIES = 2


@dataclass(frozen=True, slots=True)
class Turn:
    """One contestant at one work. `play` is given the round's number, 0 for the warm-up, and returns its figures."""

    name: str
    play: Callable[[int], Awaitable[Sequence[Sample]]]


async def take_turns(run: Run, turns: Sequence[Turn], *, rounds: int | None = None, warm_up: bool = True) -> None:
    """Play `rounds` rounds (the run's own number by default) and one before them that does not count.

    Each round begins with another contestant. One that fails twice is out; when the time is up the rounds end early.
    """
    wanted = rounds or run.options.rounds
    failed: Counter[str] = Counter()
    for number in range(0 if warm_up else 1, wanted + 1):
        if number > 1 and run.spent:
            run.failed(
                turns[0].name, f"the time was up after {number - 1} of {wanted} rounds, for this and what is with it"
            )
            return
        run.say(f"  round {number} of {wanted}" if number else "  warm-up")
        for turn in rotated(turns, number - 1):
            if failed[turn.name] < _TRIES:
                failed[turn.name] += not await _play(run, turn, number)


def rotated(turns: Sequence[Turn], by: int) -> list[Turn]:
    """The turns beginning with number `by`, round the end."""
    start = by % max(1, len(turns))
    return [*turns[start:], *turns[:start]]


async def _play(run: Run, turn: Turn, number: int) -> bool:
    """Whether it gave figures; those of the warm-up are dropped."""
    try:
        with trio.fail_after(_TURN_S):
            samples = await turn.play(number)
    except FAULTS as error:
        run.failed(turn.name, str(error) or f"not done within {_TURN_S:.0f} s")
        return False
    for sample in samples:
        run.say(f"    {progress_line(sample.work, sample.who, sample.value)}")
    if number:
        run.figures.take(samples)
    return True
