"""What the kernel tells of processes: memory and CPU time, and peaks over what was there when idle."""

from __future__ import annotations

import os

import pytest
import trio
import trio.testing

from interop.bench import usage
from interop.bench.usage import Memory, Peak

STATUS = """\
Name:\tpython
VmPeak:\t  999999 kB
VmRSS:\t  102400 kB
RssAnon:\t   61440 kB
RssFile:\t   30720 kB
RssShmem:\t   10240 kB
Threads:\t4
"""
STAT = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 7 8 20 0 4 0 100 1000 200 18446744073709551615"


def test_memory_is_told_apart_into_own_and_mapped() -> None:
    assert usage.parse_status(STATUS) == Memory(rss=100.0, own=60.0, mapped=40.0)


def test_ticks_are_user_and_system_whatever_the_name_holds() -> None:
    assert usage.parse_ticks(STAT) == 200


def test_a_peak_is_over_what_was_there_before() -> None:
    peak = Peak(Memory(100.0, 60.0, 40.0))
    for own, mapped in ((70.0, 41.0), (90.0, 40.0), (50.0, 30.0)):
        peak.take(Memory(0.0, own, mapped))
    assert (peak.own, peak.mapped) == (30.0, 1.0)


def test_a_process_that_only_shrinks_has_no_peak() -> None:
    peak = Peak(Memory(100.0, 60.0, 40.0))
    peak.take(Memory(1.0, 1.0, 1.0))
    assert (peak.own, peak.mapped) == (0.0, 0.0)


def test_this_process_has_memory_and_has_used_time() -> None:
    memory = usage.memory_of(os.getpid())
    assert memory.rss == pytest.approx(memory.own + memory.mapped, rel=0.1)
    assert usage.cpu_seconds_of([os.getpid()]) > 0


async def test_memory_taken_while_watched_is_seen() -> None:
    idle = usage.memory_of(os.getpid())
    async with usage.watched(os.getpid(), idle) as peak:
        taken = bytearray(os.urandom(64 << 20))
        await trio.lowlevel.checkpoint()
        seen = usage.memory_of(os.getpid())
        peak.take(seen)
        assert len(taken) == 64 << 20
    assert peak.own >= 48


async def test_watching_a_process_that_is_gone_is_no_fault() -> None:
    process = await trio.lowlevel.open_process(["true"])
    await process.wait()
    async with usage.watched(process.pid, Memory(1.0, 1.0, 1.0)) as peak:
        await trio.testing.wait_all_tasks_blocked()
    assert peak.own == 0
