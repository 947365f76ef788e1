"""A node as a process of its own that is to be attacked: it tells what it holds, where, and what it takes.

The first line on stdin names the directory it lives in. After that each line is answered with its figures.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import trio

from chiral.node.allocator import keep_blocks_in_heap
from chiral.node.node import Node
from tests.scenarios.swarm import add, config, random_file

SIZE_BYTES = 48 << 20


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def figures() -> dict[str, int]:
    """Tasks and descriptors of this process now."""
    return {
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "descriptors": len(os.listdir("/proc/self/fd")),
    }


async def live() -> None:
    stdin = trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))
    directory = Path((await stdin.receive_some(4096)).decode().strip())
    keep_blocks_in_heap()  # as `chiral run` does
    async with Node(config(directory / "node")) as node:
        added = await add(node, random_file(directory / "original", SIZE_BYTES))
        tell(address=node.listen_addrs_text()[0], root=str(added.root), pid=os.getpid())
        while await stdin.receive_some(4096):
            tell(**figures())


if __name__ == "__main__":
    trio.run(live)
