"""`chiral compact`: gives the disk back what the store no longer needs."""

from __future__ import annotations

import click

from chiral.cli.client import Client
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_json, size_text
from chiral.cli.progress import progress_bar


@click.command("compact")
@click.option("--remove-backups", is_flag=True, help="Remove the backups made before the layout changed, instead.")
@json_option
@client_command
def command(client: Client, remove_backups: bool, as_json: bool) -> None:
    """Write the store anew without its free space.

    The disk must have room for the copy; what is added meanwhile waits until it is done.
    """
    if remove_backups:
        freed = client.call("DELETE", "/store/backups")
        _print(freed, f"{size_text(freed['freed_bytes'])} freed", as_json)
        return
    with progress_bar("compact", wanted=not as_json) as update:
        done = client.lines("POST", "/store/compact", progress=update)
    _print(done, f"{size_text(done['before_bytes'])} before, {size_text(done['after_bytes'])} now", as_json)


def _print(answer: dict[str, int], text: str, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        click.echo(text)
