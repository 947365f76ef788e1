"""`chiral get`: a file or directory out of the swarm into a local path, whole and verified."""

from __future__ import annotations

import time
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.commands.cat import content_path, content_query, write_to_stdout
from chiral.cli.landing import Place, land
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.places import ContentPlace, content_at
from chiral.cli.printing import is_text, note, print_json, printable, seconds_text, size_text
from chiral.cli.progress import progress_bar

STDOUT = "-"


@click.command("get")
@click.argument("cid", metavar="CID[/PATH]")
@click.option("-o", "--output", metavar="OUT", help="File or directory to save into; '-' for stdout.")
@click.option("-f", "--force", is_flag=True, help="Replace the file OUT if it is there.")
@click.option("--unsafe-links", is_flag=True, help="Write symbolic links that lead out of the directory, too.")
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
@timeout_option
@json_option
@client_command
def command(client: Client, cid: str, output: str | None, timeout_s: float, as_json: bool, **given: bool) -> None:
    """Fetch the file or directory CID, or what is at PATH in it, and print the path it was saved to.

    CID may be a Chiral root, the root of a UnixFS DAG, or NAME@N of something that has versions. Without -o it gets its
    own name, made safe, in the working directory, and never takes the place of another: 'name (1).ext' and so on.
    Nothing has the name before it is whole and verified. --timeout is the longest wait without progress.
    """
    content = content_at(client, cid)
    if output == STDOUT:
        query = content_query(content, timeout_s)
        with client.download(content_path(content), query=query, timeout_s=timeout_s) as download:
            write_to_stdout(download)
        return
    place = Place.of(output, overwrite=given["force"])
    with progress_bar(f"get {content.shown}", wanted=not given["no_progress"]) as progress:
        if client.local and is_text(str(place.folder)) and is_text(place.name or ""):
            body = {
                "timeout_s": timeout_s,
                "inside": content.path,
                "unsafe_links": given["unsafe_links"],
                **_where(place),
            }
            path = f"/files/{content.cid}/save"
            saved = client.lines("POST", path, body=body, timeout_s=timeout_s, progress=progress)
        else:
            saved = _through_here(client, content, place, timeout_s, progress)
    if as_json:
        print_json(saved)
        return
    click.echo(printable(saved["path"]))
    files = f", {saved['files']} files" if saved.get("files") is not None else ""
    note(f"{size_text(saved['size'])}{files} in {seconds_text(saved['seconds'])}")


def _through_here(
    client: Client, content: ContentPlace, place: Place, timeout_s: float, progress: Any
) -> dict[str, Any]:
    """Fetch a file's bytes and write them from this process, where the node cannot be handed a path."""
    began = time.perf_counter()
    query = content_query(content, timeout_s)
    with client.download(content_path(content), query=query, timeout_s=timeout_s) as download:
        path = land(download, place, progress)
    seconds = round(time.perf_counter() - began, 6)
    return {"cid": content.cid, "name": download.name, "size": download.size, "path": str(path), "seconds": seconds}


def _where(place: Place) -> dict[str, object]:
    if place.name is None:
        return {"directory": str(place.folder)}
    return {"path": str(place.folder / place.name), "overwrite": place.overwrite}
