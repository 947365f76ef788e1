"""`chiral gc`: removes blocks that neither a file nor a pin keeps."""

from __future__ import annotations

from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import note, print_json, seconds_text, size_text
from chiral.errors import UsageError


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Remove nothing, only say what would go.")
@click.option("--status", is_flag=True, help="Show the collection that goes on and the last one.")
@click.option("--stop", is_flag=True, help="Stop the collection that goes on.")
@json_option
@client_command
def command(client: Client, dry_run: bool, status: bool, stop: bool, as_json: bool) -> None:
    """Remove the blocks that no file, directory or pin keeps: of failed adds, single blocks, half-fetched files.

    It runs beside whatever the node does, and goes on in the node when this command is interrupted.
    """
    if dry_run + status + stop > 1:
        raise UsageError("--dry-run, --status and --stop do not go together")
    if status:
        _show_status(client.call("GET", "/collection"), as_json)
    elif stop:
        stopped = client.call("POST", "/collection/stop")
        if as_json:
            print_json(stopped)
        else:
            note("stopped; the next one goes on there" if stopped["stopped"] else "no collection goes on")
    else:
        ended = client.lines("POST", "/collection", body={"dry_run": dry_run})
        if as_json:
            print_json(ended)
        else:
            click.echo(_outcome(ended))


def _show_status(state: Any, as_json: bool) -> None:
    if as_json:
        print_json(state)
        return
    running, last = state["running"], state["last"]
    if running is None:
        click.echo("no collection goes on")
    else:
        freed = f"{running['freed_blocks']} freed, {size_text(running['freed_bytes'])}"
        click.echo(f"{running['phase']}: {running['examined']} of {running['blocks']} blocks looked at, {freed}")
    if last is not None:
        click.echo(f"last: {_outcome(last)}")


def _outcome(ended: Any) -> str:
    freed = "would free" if ended["dry_run"] else "freed"
    what = f"{freed} {ended['freed_blocks']} of {ended['blocks']} blocks, {size_text(ended['freed_bytes'])}"
    return f"{what}, in {seconds_text(ended['seconds'])}"
