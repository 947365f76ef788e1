"""A process that has loaded everything and forks a child for each line it reads, so that a child is there at once.

A line is the store's directory, the first number, the file to tell in and the directory to save to; what comes back is
the child's process id, and once it has ended, its wait status.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import trio

from tests.crash.workload import Workload, open_keeping


async def work(directory: Path, first: int, told: int, target: Path) -> None:
    """One child's life."""

    def tell(verb: str, number: int) -> None:
        os.write(told, f"{verb} {number}\n".encode())

    async with open_keeping(directory) as keeping:
        await Workload(keeping, first, tell, target).run()


def child(line: str) -> None:
    """Work until killed; never returns."""
    directory, first, told, target = line.split("\t")
    descriptor = os.open(told, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    trio.run(work, Path(directory), int(first), descriptor, Path(target))
    os._exit(1)


def main() -> None:
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            child(line.rstrip("\n"))
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(status, flush=True)


if __name__ == "__main__":
    main()
