"""What a swarm sends when nobody asks it for anything: `unshare -rn … python -m interop.dht.idle`, made by `isolated`.

The swarm has a network namespace to itself, so that the kernel's counters of its one interface are the swarm's traffic
to the byte, headers and acknowledgements included. A byte that one node sends another receives: it counts at both.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from interop.dht.counters import bytes_sent, connections
from interop.dht.swarm import DhtSwarm, Plan, open_swarm
from interop.kinds import Kind

_LOOPBACK_UP = 'ip link set lo up && exec "$@"'


def isolated(arguments: Sequence[str]) -> list[str]:
    """The command that measures in a namespace of its own; needs no rights where user namespaces are allowed."""
    here = [sys.executable, "-m", "interop.dht.idle", *arguments]
    return ["unshare", "-rn", "sh", "-c", _LOOPBACK_UP, "sh", *here]


async def measure(plan: Plan, settle_s: float, watch_s: float) -> dict[str, Any]:
    """Bytes a second of a node, sent and received, and what Python nodes said meanwhile by protocol."""
    folder = Path(tempfile.mkdtemp(prefix="chiral-idle-"))
    try:
        async with open_swarm(plan, folder) as swarm:
            await trio.sleep(settle_s)
            said, before = await _said(swarm), bytes_sent()
            await trio.sleep(watch_s)
            sent = bytes_sent() - before
            said_later = await _said(swarm)
            return {
                "nodes": plan.size,
                "seconds": watch_s,
                "bytes_per_s": 2 * sent / watch_s / plan.size,
                "connections": connections(),
                "python_nodes": len(swarm.of(Kind.PYTHON)),
                "said": {name: dict(said_later[name] - counted) for name, counted in said.items()},
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _said(swarm: DhtSwarm) -> dict[str, Counter[str]]:
    """What all Python nodes have done so far: streams and bytes by protocol, DHT requests by type."""
    sums: dict[str, Counter[str]] = {"streams": Counter(), "bytes": Counter(), "requests": Counter()}
    for reply in await _replies(swarm):
        for name, counted in sums.items():
            counted.update(reply[name])
    return sums


async def _replies(swarm: DhtSwarm) -> list[dict[str, Any]]:
    """What the process of each Python node answers to `sent`."""
    processes = {member.process.pid: member.process for member in swarm.of(Kind.PYTHON)}
    return [await process.command("sent") for process in processes.values()]


def main() -> None:
    """Measure what the options say and print one JSON value."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--houses", type=int, default=8, help="processes of five Python nodes each")
    parser.add_argument("--go", type=int, default=4)
    parser.add_argument("--rust", type=int, default=4, help="of the newest libp2p")
    parser.add_argument("--rust-054", type=int, default=2)
    parser.add_argument("--settle", type=float, default=30.0, metavar="S")
    parser.add_argument("--watch", type=float, default=60.0, metavar="S")
    asked = parser.parse_args()
    others = {Kind.GO: asked.go, Kind.RUST_NEWEST: asked.rust, Kind.RUST_054: asked.rust_054}
    print(json.dumps(trio.run(measure, Plan([5] * asked.houses, others), asked.settle, asked.watch)))


if __name__ == "__main__":
    main()
