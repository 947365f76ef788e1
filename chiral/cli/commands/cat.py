"""`chiral cat`: a file's bytes to stdout, each block verified before it is written."""

from __future__ import annotations

import sys

import click

from chiral.cli.client import Client, Download
from chiral.cli.options import client_command, timeout_option
from chiral.cli.places import ContentPlace, content_at
from chiral.cli.quantities import Size


@click.command("cat")
@click.argument("cid", metavar="CID[/PATH]")
@click.option("--offset", type=Size(), default=0, help="Begin at this byte.")
@click.option("--length", type=Size(), help="Write so many bytes at most.")
@timeout_option
@client_command
def command(client: Client, cid: str, offset: int, length: int | None, timeout_s: float) -> None:
    """Write the bytes of the file CID, or of the one at PATH in directory CID, to stdout.

    Of a part only the blocks that hold it are fetched. A fault in the middle ends with an exit code other than 0; what
    was written until then is verified.
    """
    place = content_at(client, cid)
    query = {**content_query(place, timeout_s), "offset": offset or None, "length": length}
    with client.download(content_path(place), query=query, timeout_s=timeout_s) as download:
        write_to_stdout(download)


def content_path(place: ContentPlace) -> str:
    """The route that gives a file's bytes."""
    return f"/files/{place.cid}/content"


def content_query(place: ContentPlace, timeout_s: float) -> dict[str, object]:
    """What is asked of it."""
    return {"timeout_s": timeout_s, "path": place.path or None}


def write_to_stdout(download: Download) -> None:
    """All parts of the download, in order."""
    out = sys.stdout.buffer
    for part in download.parts:
        out.write(part)
    out.flush()
