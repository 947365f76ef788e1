"""`chiral cat`: a file's bytes to stdout, each block verified before it is written."""

from __future__ import annotations

import sys

import click

from chiral.cli.client import Client, Download
from chiral.cli.names import cid_argument
from chiral.cli.options import client_command, timeout_option


@click.command("cat")
@cid_argument
@timeout_option
@client_command
def command(client: Client, cid: str, timeout_s: float) -> None:
    """Write the bytes of the file CID to stdout.

    A fault in the middle ends with an exit code other than 0; what was written until then is verified.
    """
    with client.download(f"/files/{cid}/content", query={"timeout_s": timeout_s}, timeout_s=timeout_s) as download:
        write_to_stdout(download)


def write_to_stdout(download: Download) -> None:
    """All parts of the download, in order."""
    out = sys.stdout.buffer
    for part in download.parts:
        out.write(part)
    out.flush()
