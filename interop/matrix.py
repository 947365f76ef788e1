"""The matrix of Python, Rust and Go peers as provider and fetcher: `python -m interop.matrix [--quick]`.

Each pair has a Python node in it, and the two know nothing but a bootstrap node of each kind in turn. Exit code 1 if a
file did not arrive whole.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import trio

from interop.build import can_build, program_path
from interop.kinds import Kind
from interop.swarm import Cell, Help, Swarm, run_swarm

KIB_BYTES = 1 << 10
MIB_BYTES = 1 << 20
SMALL_SIZES = (0, 1, 256 * KIB_BYTES, 256 * KIB_BYTES + 1, 10 * MIB_BYTES)
SIZES = (*SMALL_SIZES, 100 * MIB_BYTES)
_NOTE_CHARS = 400

_FOOTNOTES = {
    Help.ANNOUNCED_AGAIN: "found only after the provider announced a second time: Rust 0.54 closes an idle connection "
    "and loses the announcement still in it",
    Help.CONNECTED: "found only with a connection to the provider: a Rust peer announces no addresses on loopback, and "
    "such an announcement a Go bootstrap node drops and a closing connection loses",
}


def pairs(kinds: Iterable[Kind]) -> list[tuple[Kind, Kind]]:
    """Provider and fetcher, each pair with a Python node in it."""
    others = [kind for kind in kinds if kind is not Kind.PYTHON]
    there = [(Kind.PYTHON, kind) for kind in others]
    back = [(kind, Kind.PYTHON) for kind in others]
    return [(Kind.PYTHON, Kind.PYTHON), *there, *back]


def full(kinds: Sequence[Kind]) -> list[Swarm]:
    """Every pair through every kind of bootstrap node."""
    return [Swarm(*pair, bootstrap) for pair in pairs(kinds) for bootstrap in kinds]


def rotated(kinds: Sequence[Kind]) -> list[Swarm]:
    """Every pair once, the kinds of bootstrap nodes taking turns."""
    return [Swarm(*pair, kinds[turn % len(kinds)]) for turn, pair in enumerate(pairs(kinds), start=1)]


def available() -> list[Kind]:
    """The kinds that are built or can be."""
    return [kind for kind in Kind if kind is Kind.PYTHON or program_path(kind).exists() or can_build(kind)]


def size_text(size: int) -> str:
    """A size as the table's head has it."""
    for unit, name in ((MIB_BYTES, "MiB"), (KIB_BYTES, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}" + (f"+{size % unit}" if size % unit else "")
    return f"{size} B"


def row(swarm: Swarm, cells: Sequence[Cell]) -> str:
    """One line of the table."""
    shown = ["FAILED" if cell.error else f"{cell.seconds:.3f} s{cell.help}" for cell in cells]
    return _columns([swarm.provider, swarm.fetcher, swarm.bootstrap], shown)


def head(sizes: Sequence[int]) -> str:
    """The line over the table."""
    return _columns(["provider", "fetcher", "bootstrap"], [size_text(size) for size in sizes])


def _columns(left: Sequence[str], right: Sequence[str]) -> str:
    return "".join(f"{text:<13}" for text in left) + "".join(f"{text:>12}" for text in right)


def notes(rows: Sequence[tuple[Swarm, list[Cell]]]) -> list[str]:
    """What stands under the table: what the marks in it mean, and for each row what went wrong where one stands."""
    used = {cell.help for _, cells in rows for cell in cells if not cell.error}
    lines = [f"{mark}: {text}" for mark, text in _FOOTNOTES.items() if mark in used]
    for swarm, cells in rows:
        for mark in ("FAILED", *_FOOTNOTES):
            marked = [cell for cell in cells if mark == ("FAILED" if cell.error else cell.help)]
            if marked:
                sizes = ", ".join(size_text(cell.size) for cell in marked)
                why = " ".join((marked[0].error or marked[0].helped_after).split())[:_NOTE_CHARS]
                lines.append(f"{mark} {swarm}, {sizes}: {why}")
    return lines


async def run(swarms: Sequence[Swarm], sizes: Sequence[int], base: Path) -> list[tuple[Swarm, list[Cell]]]:
    """Run the swarms one after another, printing each row as it is done."""
    print(head(sizes), flush=True)
    rows = []
    for number, swarm in enumerate(swarms):
        folder = base / str(number)
        cells = await run_swarm(swarm, sizes, folder)
        rows.append((swarm, cells))
        print(row(swarm, cells), flush=True)
        if not any(cell.error for cell in cells):
            shutil.rmtree(folder, ignore_errors=True)
    return rows


def main() -> int:
    """Run what the options ask for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each pair once, files up to 10 MiB")
    parser.add_argument("--kinds", nargs="+", type=Kind, choices=list(Kind), help="only swarms of these kinds")
    options = parser.parse_args()
    kinds = available()
    for kind in Kind:
        if kind not in kinds:
            print(f"{kind} is left out: {kind.tool} is not installed")
    if options.kinds:
        kinds = [kind for kind in kinds if kind in options.kinds]
    base = Path(tempfile.mkdtemp(prefix="chiral-matrix-"))
    swarms, sizes = (rotated(kinds), SMALL_SIZES) if options.quick else (full(kinds), SIZES)
    rows = trio.run(run, swarms, sizes, base)
    failed = any(cell.error for _, cells in rows for cell in cells)
    print("\n".join(["", *notes(rows)]))
    if failed:
        print(f"logs of what failed are kept in {base}")
    else:
        shutil.rmtree(base, ignore_errors=True)
        print(f"{sum(len(cells) for _, cells in rows)} files arrived whole, SHA-256 equal")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
