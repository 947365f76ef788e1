"""`chiral dag export`: a DAG into an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from chiral.cli.client import Client, Download, Progress
from chiral.cli.commands.cat import write_to_stdout
from chiral.cli.landing import Place, land
from chiral.cli.names import cid_argument
from chiral.cli.options import client_command, json_option, timeout_option
from chiral.cli.printing import is_text, note, print_json, printable, size_text
from chiral.cli.progress import progress_bar
from chiral.errors import UsageError

STDOUT = "-"


@click.command("export")
@cid_argument
@click.option("-o", "--output", metavar="FILE", required=True, help="File to write; '-' for stdout.")
@click.option("-f", "--force", is_flag=True, help="Replace FILE if it is there.")
@click.option("--car-version", type=click.Choice(["1", "2"]), default="1", show_default=True, help="The archive's.")
@click.option("--partial", is_flag=True, help="Ask no peers and leave out what is not here.")
@click.option("--offline", is_flag=True, help="Ask no peers; fail where a block is not here.")
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
@timeout_option
@json_option
@client_command
def command(
    client: Client,
    cid: str,
    output: str,
    force: bool,
    car_version: str,
    partial: bool,
    offline: bool,
    no_progress: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Write the DAG below CID to an archive, depth first, each block once and verified.

    The Chiral root of a file stands for its UnixFS DAG. What is not here is fetched. The file is there only once it is
    whole; --timeout is the longest wait without progress.
    """
    asked = {"car_version": car_version, "offline": offline, "partial": partial, "timeout_s": timeout_s}
    if output == STDOUT:
        _warn_of_missing(client, cid, partial)
        with client.stream(f"/dag/export/{cid}", query=asked, timeout_s=timeout_s) as parts:
            write_to_stdout(Download("", 0, parts))
        return
    place = Place.of(output, overwrite=force)
    if place.name is None:
        raise UsageError(f"{output} is a directory", hint="name a file with -o")
    with progress_bar(f"export {cid[:12]}…", wanted=not no_progress) as progress:
        if client.local and is_text(str(place.folder / place.name)):
            body = {
                "path": str(place.folder / place.name),
                "overwrite": force,
                **asked,
                "car_version": int(car_version),
            }
            at = f"/dag/export/{cid}"
            _show(client.lines("POST", at, body=body, timeout_s=timeout_s, progress=progress), as_json)
        else:
            _warn_of_missing(client, cid, partial)
            with client.stream(f"/dag/export/{cid}", query=asked, timeout_s=timeout_s) as parts:
                path = land(Download("", 0, parts), place, _without_total(progress))
            _show_landed(path, as_json)


def _without_total(progress: Progress) -> Progress:
    return lambda done, total: progress(done, None)


def _warn_of_missing(client: Client, cid: str, partial: bool) -> None:
    """Bytes that are streamed leave no room to say what is not among them, so that is said before."""
    if partial:
        _note_missing(client.lines("GET", f"/dag/stat/{cid}", query={"offline": True})["missing"])


def _show(archive: Any, as_json: bool) -> None:
    if as_json:
        print_json(archive)
        return
    click.echo(printable(archive["path"]))
    note(f"{archive['blocks']} blocks, {size_text(archive['size'])}, root {archive['root']}")
    _note_missing(archive["missing"])


def _show_landed(path: Path, as_json: bool) -> None:
    size = path.stat().st_size
    if as_json:
        print_json({"path": str(path), "size": size})
        return
    click.echo(printable(str(path)))
    note(size_text(size))


def _note_missing(missing: Any) -> None:
    if missing["count"]:
        more = missing["count"] - len(missing["first"])
        named = ", ".join(missing["first"]) + (f" and {more} more" if more else "")
        note(f"{missing['count']} blocks are not here and left out: {named}")
