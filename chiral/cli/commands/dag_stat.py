"""`chiral dag stat`: what a DAG comes to."""

from __future__ import annotations

from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.names import cid_argument
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.printing import print_columns, print_json, size_text
from chiral.cli.progress import progress_bar

_MOST = (1 << 64) - 1


@click.command("stat")
@cid_argument
@click.option("--offline", is_flag=True, help="Ask no peers; count what is not here as missing.")
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
@timeout_option
@json_option
@client_command
def command(client: Client, cid: str, offline: bool, no_progress: bool, timeout_s: float, as_json: bool) -> None:
    """Show what the DAG below CID comes to, every block verified. What is not here is fetched.

    --timeout is the longest wait without progress.
    """
    query = {"offline": offline, "timeout_s": timeout_s}
    with progress_bar(f"stat {cid[:12]}…", wanted=not no_progress) as progress:
        stat = client.lines("GET", f"/dag/stat/{cid}", query=query, timeout_s=timeout_s, progress=progress)
    if as_json:
        print_json(stat)
    else:
        print_columns(_rows(stat))


def _rows(stat: Any) -> list[tuple[str, str]]:
    rows = [
        ("root", stat["cid"]),
        ("layout", stat["layout"]),
        ("blocks", f"{stat['blocks']} ({stat['leaves']} leaves)"),
        ("size", size_text(stat["size"])),
        ("links", str(stat["links"])),
        ("depth", str(stat["depth"])),
        ("unfolded", f"{_count(stat['unfolded_blocks'])} blocks, {size_text(stat['unfolded_size'])}"),
        ("dedup ratio", f"{stat['dedup_ratio']:.2f}"),
    ]
    if stat["missing"]["count"]:
        rows.append(("missing", f"{stat['missing']['count']} blocks, first {', '.join(stat['missing']['first'])}"))
    return rows


def _count(number: int) -> str:
    return "2^64 or more" if number >= _MOST else str(number)
