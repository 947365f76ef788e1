"""The soak: `python -m interop.soak [--gib 20]` moves files between two nodes and tells whether they grow with it.

Two `chiral run` processes; in each round a fresh file that nothing compresses is added at one, fetched by the other,
held against its SHA-256 and removed at both. Exit code 1 where memory, stores, threads or descriptors grew.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from chiral.cli.client import client_for
from interop.bench.ends import Ends
from interop.bench.places import free_bytes, memory_directory
from interop.bench.timed import TimedNode
from interop.bench.usage import settled
from interop.bench.work import GIB_BYTES, MIB_BYTES, Data
from interop.child import PeerError
from interop.python_peer import open_python_peer
from interop.soak.sample import Usage, usage_of
from interop.soak.verdict import Round, Soak, findings, rate, report, to_json

WARM_UP_ROUNDS = 3
"""Until then buffers, caches and the allocator's heap reach the size that the work takes."""
LEAST_ROUNDS = 8
_REST_S = 12.0
"""Longer than worker threads wait for work (10 s in trio) and than a connection held in use stays so."""
_PLACES = 5
"""The source, the copy, both stores, and what a store needs beside a file of which the pages are not yet free."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two nodes, under the names that tables call them by."""

    ends: Ends
    nodes: Mapping[str, TimedNode]

    def usage(self) -> dict[str, Usage]:
        """What each takes now."""
        return {who: usage_of(node.pid, node.data) for who, node in self.nodes.items()}

    async def remove(self, cid: str) -> None:
        """Have both forget a file."""
        for node in self.nodes.values():
            remove = partial(client_for(node.data).call, "DELETE", f"/files/{cid}")
            await trio.to_thread.run_sync(remove, abandon_on_cancel=True)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m interop.soak", description=__doc__)
    parser.add_argument("--gib", type=float, default=20.0, help="how much to move (default 20)")
    parser.add_argument("--file-mib", type=int, default=512, metavar="MIB", help="the size of a file at most")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where files and stores lie (default: in memory)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the samples and findings there too")
    return parser.parse_args(arguments)


def file_size(asked: argparse.Namespace) -> int:
    """Bytes a file: as large as was asked for, so that there are rounds enough to tell growth from chance."""
    return int(min(asked.file_mib * MIB_BYTES, max(MIB_BYTES, asked.gib * GIB_BYTES / LEAST_ROUNDS)))


async def soak(asked: argparse.Namespace, folder: Path) -> Soak:
    """All rounds; raises `PeerError` where a file does not arrive whole."""
    size, result = file_size(asked), Soak(warm_up=WARM_UP_ROUNDS)
    if free_bytes(folder) < _PLACES * size:
        raise PeerError(f"{folder} has no room for {_PLACES} x {size // MIB_BYTES} MiB")
    provider_folder, fetcher_folder = folder / "provider", folder / "fetcher"
    for place in (provider_folder, fetcher_folder):
        place.mkdir()
    async with (
        open_python_peer(provider_folder, (), ()) as giving,
        open_python_peer(fetcher_folder, giving.addrs[:1], ()) as taking,
    ):
        provider, fetcher = TimedNode(giving), TimedNode(taking)
        pair = Pair(Ends("soak", provider, fetcher, folder), {"provider": provider, "fetcher": fetcher})
        while len(result.rounds) < LEAST_ROUNDS or result.rounds[-1].moved < asked.gib * GIB_BYTES:
            if len(result.rounds) == WARM_UP_ROUNDS:
                result.begin = await _at_rest(pair)
            result.rounds.append(await _round(pair, size, len(result.rounds) + 1))
        result.end = await _at_rest(pair)
    return result


async def _round(pair: Pair, size: int, number: int) -> Round:
    put = await pair.ends.put(size, Data.RANDOM, f"soak {number}")
    got = await pair.ends.fetch(put)
    await pair.remove(put.cid)
    await settled(pair.ends.pids)
    done = Round(number * size, rate(size, put.seconds), rate(size, got.seconds), pair.usage())
    figures = ", ".join(f"{who} {usage.own:.0f} MiB" for who, usage in done.ends.items())
    print(f"  {done.moved / GIB_BYTES:.2f} GiB: get {done.get_mib_s:.0f} MiB/s; {figures}", file=sys.stderr, flush=True)
    return done


async def _at_rest(pair: Pair) -> dict[str, Usage]:
    await trio.sleep(_REST_S)
    return pair.usage()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, save; 1 if anything grew."""
    asked = parse(arguments)
    folder = Path(tempfile.mkdtemp(prefix="chiral-soak-", dir=asked.data or memory_directory()))
    try:
        result = trio.run(soak, asked, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report(result))
    if asked.json:
        asked.json.write_text(json.dumps(to_json(result), indent=2) + "\n", encoding="utf-8")
    return 0 if all(entry.holds for entry in findings(result)) else 1


if __name__ == "__main__":
    sys.exit(main())
