"""`chiral dht table`: the peers of the routing table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.dht_text import moment_text
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_columns, print_json

_HEADING = ("bucket", "peer", "last seen", "latency", "agent", "protocol", "addresses")


@click.command("table")
@click.option("--bucket", metavar="N", type=click.IntRange(0, 255), help="Only the peers of this bucket.")
@json_option
@client_command
def command(client: Client, bucket: int | None, as_json: bool) -> None:
    """List the peers of the routing table, farthest bucket first: bucket, peer, last seen, latency, agent, addresses.

    A peer's bucket is the number of leading bits that its point in the key space shares with this node's. Latency and
    agent are known of connected peers.
    """
    entries = entries_of(client, bucket)
    if as_json:
        for entry in entries:
            print_json(entry)
        return
    rows = [_row(entry) for entry in entries]
    print_columns([_HEADING, *rows] if rows else [])


def entries_of(client: Client, bucket: int | None) -> Iterator[Any]:
    """The entries of all pages."""
    start: int | None = 0
    while start is not None:
        page = client.call("GET", "/dht/table", query={"start": start, "bucket": bucket})
        yield from page["items"]
        start = page["next"]


def _row(entry: Any) -> tuple[str, ...]:
    latency_s = entry["latency_s"]
    return (
        str(entry["bucket"]),
        entry["peer_id"],
        moment_text(entry["seen_at"]),
        "-" if latency_s is None else f"{latency_s * 1000:.1f} ms",
        entry["agent"] or "-",
        entry["protocol"],
        " ".join(entry["addrs"]) or "-",
    )
