"""What a node of a swarm of 50 sends and receives while nobody wants anything, by the kernel's own counters."""

from __future__ import annotations

import json
import os
import subprocess

import trio

from interop.bench import dht_works as works
from interop.bench.run import Run
from interop.bench.work import Sample
from interop.dht.idle import isolated
from interop.kinds import Kind

_PYTHON_ONLY = 50
_HOUSE = 5
_OTHERS = {Kind.GO: ("--go", 4), Kind.RUST_NEWEST: ("--rust", 4), Kind.RUST_054: ("--rust-054", 2)}
_LIMIT_S = 240.0


async def measure(run: Run) -> None:
    """Once: what is counted goes on for a minute, and noise of the machine does not reach it."""
    nodes, options = _PYTHON_ONLY, []
    for kind, (option, count) in _OTHERS.items():
        there = count if run.has(kind) else 0
        nodes -= there
        options += [option, str(there)]
    command = isolated(["--houses", str(nodes // _HOUSE), *options])
    with trio.move_on_after(_LIMIT_S):
        done = await trio.run_process(
            command, capture_stdout=True, capture_stderr=True, check=False, stdin=subprocess.DEVNULL, env=os.environ
        )
        if done.returncode != 0:
            raise OSError(f"no network namespace, or no swarm in it: {done.stderr.decode(errors='replace')[-300:]}")
        run.figures.take([Sample(works.IDLE_TRAFFIC, works.SWARM, json.loads(done.stdout)["bytes_per_s"])])
        return
    raise OSError(f"not done within {_LIMIT_S:.0f} s")
