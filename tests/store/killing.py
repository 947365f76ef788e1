"""Runs a program that writes to a store and kills it at an instant that nothing marks."""

from __future__ import annotations

import random
import select
import subprocess
import sys
from pathlib import Path


def run_and_kill(child: Path, directory: Path, first: int, rng: random.Random, after: range) -> list[str]:
    """What `child` acknowledged before it was killed, some instants after so many of its first lines."""
    lines: list[str] = []
    with subprocess.Popen(
        [sys.executable, str(child), str(directory), str(first)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(rng.choice(after)):
            lines.append(process.stdout.readline())
        # An instant that nothing marks: the child writes on while this waits for what never comes.
        select.select([], [], [], rng.uniform(0, 0.02))
        process.kill()
        lines += process.stdout.readlines()
    # The kill may have cut the last line; a full line was printed after its acknowledgement.
    return [line for line in lines if line.endswith("\n")]
