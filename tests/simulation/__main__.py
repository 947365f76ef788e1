"""Runs the simulator: `python -m tests.simulation --nodes 10000` prints tables, `--record` puts them into the page."""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

from tests.simulation.programme import FULL, NORMAL, QUICK, SECTIONS, Run
from tests.simulation.record import write_into

PAGE = Path(__file__).parents[2] / "chiral" / "docs" / "dht-simulation.md"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulate the DHT in virtual time.")
    parser.add_argument("--nodes", type=int, default=10_000, help="the largest network")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=list(SECTIONS), default=[], help="this section; may repeat")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--quick", action="store_true", help="less of everything")
    effort.add_argument("--full", action="store_true", help="more of everything")
    parser.add_argument("--record", action="store_true", help=f"put what was measured into {PAGE.name}")
    parser.add_argument("--page", type=Path, default=PAGE, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    chosen = QUICK if options.quick else FULL if options.full else NORMAL
    for title, markdown in Run(options.nodes, options.seed, chosen, _say, tuple(options.only)).sections():
        text = f"{_origin(options)}\n\n{markdown}"
        print(f"### {title}\n{text}\n", flush=True)
        if options.record:
            # One by one, so that what a long run has measured stays when it is broken off.
            write_into(options.page, {title: text})
    return 0


def _origin(options: argparse.Namespace) -> str:
    effort = " --quick" if options.quick else " --full" if options.full else ""
    command = f"python -m tests.simulation --nodes {options.nodes} --seed {options.seed}{effort}"
    return f"By `{command}`, Python {platform.python_version()}."


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
