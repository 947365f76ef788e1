"""`chiral clean`: removes what nothing keeps, and with --deep all that is not pinned, after asking."""

from __future__ import annotations

import sys
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import note, print_json, size_text
from chiral.errors import UsageError


@click.command("clean")
@click.option("--deep", is_flag=True, help="Forget all files that are not pinned, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@client_command
def command(client: Client, deep: bool, yes: bool, as_json: bool) -> None:
    """Remove the blocks that nothing keeps; with --deep everything that no pin keeps, files and their records.

    Says first what goes and asks. Where nobody can be asked it removes nothing without --yes. Pins are never removed.
    """
    if not yes and not sys.stdin.isatty():
        raise UsageError("clean removes data and nobody can be asked here", hint="add --yes to do it all the same")
    if not yes:
        planned = _clean(client, deep, dry_run=True)
        note(f"this removes {_told(planned)}" + (", and the blocks only these files have" if planned["files"] else ""))
        click.confirm("go on?", abort=True, err=True)
    cleaned = _clean(client, deep, dry_run=False)
    if as_json:
        print_json(cleaned)
    else:
        click.echo(f"removed {_told(cleaned)}")


def _clean(client: Client, deep: bool, *, dry_run: bool) -> Any:
    return client.lines("POST", "/collection/clean", body={"deep": deep, "dry_run": dry_run})


def _told(cleaned: Any) -> str:
    files = f"{cleaned['files']} files of {size_text(cleaned['file_bytes'])} and " if cleaned["files"] else ""
    return f"{files}{cleaned['blocks']} blocks of {size_text(cleaned['block_bytes'])} that nothing keeps"
