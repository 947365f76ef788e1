"""`chiral get`: a file out of the swarm into a local path, whole and verified."""

from __future__ import annotations

import time
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.commands.cat import write_to_stdout
from chiral.cli.landing import Place, land
from chiral.cli.names import cid_argument
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.printing import is_text, note, print_json, printable, seconds_text, size_text
from chiral.cli.progress import progress_bar

STDOUT = "-"


@click.command("get")
@cid_argument
@click.option("-o", "--output", metavar="OUT", help="File or directory to save into; '-' for stdout.")
@click.option("-f", "--force", is_flag=True, help="Replace OUT if it is there.")
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
@timeout_option
@json_option
@client_command
def command(
    client: Client, cid: str, output: str | None, force: bool, no_progress: bool, timeout_s: float, as_json: bool
) -> None:
    """Fetch the file CID and print the path it was saved to.

    Without -o it gets its own name, made safe, in the working directory, and never takes the place of another file:
    'name (1).ext' and so on. Nothing has the file's name before it is whole and verified. --timeout is the longest wait
    without progress.
    """
    if output == STDOUT:
        with client.download(_content(cid), query={"timeout_s": timeout_s}, timeout_s=timeout_s) as download:
            write_to_stdout(download)
        return
    place = Place.of(output, overwrite=force)
    with progress_bar(f"get {cid[:12]}…", wanted=not no_progress) as progress:
        if client.local and is_text(str(place.folder)) and is_text(place.name or ""):
            body = {"timeout_s": timeout_s, **_where(place)}
            saved = client.lines("POST", f"/files/{cid}/save", body=body, timeout_s=timeout_s, progress=progress)
        else:
            saved = _through_here(client, cid, place, timeout_s, progress)
    if as_json:
        print_json(saved)
        return
    click.echo(printable(saved["path"]))
    note(f"{size_text(saved['size'])} in {seconds_text(saved['seconds'])}")


def _through_here(client: Client, cid: str, place: Place, timeout_s: float, progress: Any) -> dict[str, Any]:
    """Fetch the bytes and write them from this process, where the node cannot be handed a path."""
    began = time.perf_counter()
    with client.download(_content(cid), query={"timeout_s": timeout_s}, timeout_s=timeout_s) as download:
        path = land(download, place, progress)
    seconds = round(time.perf_counter() - began, 6)
    return {"cid": cid, "name": download.name, "size": download.size, "path": str(path), "seconds": seconds}


def _content(cid: str) -> str:
    return f"/files/{cid}/content"


def _where(place: Place) -> dict[str, object]:
    if place.name is None:
        return {"directory": str(place.folder)}
    return {"path": str(place.folder / place.name), "overwrite": place.overwrite}
