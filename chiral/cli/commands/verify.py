"""`chiral verify`: checks every block held here against its CID."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import note, print_columns, print_json, size_text
from chiral.cli.progress import progress_bar
from chiral.errors import IntegrityError, StoreError, UsageError

_MB_BYTES = 1_000_000
_PAGE = 1000


@click.command("verify")
@click.option(
    "--rate", metavar="MB/S", type=click.FloatRange(0, min_open=True), help="Most to read in a second, in megabytes."
)
@click.option("--repair/--no-repair", default=None, help="Fetch what is damaged from peers (default: as configured).")
@click.option("--background", is_flag=True, help="Do not wait for the end.")
@click.option("--status", is_flag=True, help="Show the check under way, or the last one.")
@click.option("--stop", is_flag=True, help="Stop the check under way; the next one goes on there.")
@click.option("--quarantine", is_flag=True, help="List the blocks that were found damaged.")
@json_option
@client_command
def command(
    client: Client,
    rate: float | None,
    repair: bool | None,
    background: bool,
    status: bool,
    stop: bool,
    quarantine: bool,
    as_json: bool,
) -> None:
    """Check every block held here against its CID.

    A damaged block is taken out of service and named; with --repair it is fetched from peers. The check runs in the
    node and goes on there when this command is interrupted. The exit code is 4 if damage is left.
    """
    if background + status + stop + quarantine > 1:
        raise UsageError("--background, --status, --stop and --quarantine exclude each other")
    if quarantine:
        _list(client, as_json)
    elif status or stop:
        _show(client.call("DELETE" if stop else "GET", "/store/verify"), as_json)
    else:
        wish = {"rate_bytes": None if rate is None else max(1, int(rate * _MB_BYTES)), "repair": repair}
        begun = client.call("POST", "/store/verify", body=wish)
        if background:
            _show(begun, as_json)
        else:
            _follow(client, as_json)


def _follow(client: Client, as_json: bool) -> None:
    with progress_bar("verify", wanted=not as_json) as update:
        ended = client.lines("GET", "/store/verify/progress", progress=update)
    _show(ended, as_json)
    if ended["state"] == "failed":
        raise StoreError(f"the check broke off: {ended['error']}", hint="'chiral verify' goes on where it was")
    left = ended["damaged"] - ended["repaired"]
    if left > 0:
        raise IntegrityError(
            f"{left} damaged blocks were taken out of service",
            hint="'chiral verify --quarantine' names them, --repair fetches them from peers",
        )


def _show(run: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(run)
        return
    for name in run["names"]:
        click.echo(f"damaged {name}")
    if len(run["names"]) < run["damaged"]:
        note(f"and {run['damaged'] - len(run['names'])} more")
    figures = [
        ("state", run["state"] + (" (went on after a stop)" if run["resumed"] else "")),
        ("checked", f"{run['blocks']} blocks, {size_text(run['size_bytes'])} of {size_text(run['total_bytes'])}"),
        ("damaged", str(run["damaged"])),
        ("repaired", str(run["repaired"])),
    ]
    print_columns(figures)


def _list(client: Client, as_json: bool) -> None:
    items = _quarantined(client)
    if as_json:
        for item in items:
            print_json(item)
    else:
        rows = [(item["cid"], "held again" if item["replaced"] else "missing", item["reason"]) for item in items]
        print_columns(rows)


def _quarantined(client: Client) -> Iterator[Any]:
    after: str | None = ""
    while after is not None:
        page = client.call("GET", "/store/quarantine", query={"after": after, "limit": _PAGE})
        yield from page["items"]
        after = page["next"]
