"""`chiral dht stats`: the DHT's figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from chiral.cli.client import Client
from chiral.cli.dht_text import bucket_rows, moment_text
from chiral.cli.options import client_command, json_option
from chiral.cli.printing import print_columns, print_json, seconds_text


@click.command("stats")
@json_option
@client_command
def command(client: Client, as_json: bool) -> None:
    """Show the figures of the DHT, and the filled buckets of each routing table.

    Bucket n holds peers whose points share n leading bits with this node's: half of the network falls into bucket 0, a
    quarter into bucket 1, and so on. Runs of empty buckets are shown as one line.
    """
    figures = client.call("GET", "/dht/stats")
    if as_json:
        print_json(figures)
        return
    print_columns(list(_summary(figures)))
    for overlay in figures["overlays"]:
        click.echo(f"\n{overlay['protocol']}: {_peers(overlay['table_size'])}")
        if overlay["table_size"]:
            print_columns([("bucket", "peers", ""), *bucket_rows(overlay["bucket_counts"])])


def _summary(figures: Any) -> Iterator[tuple[str, str]]:
    yield "mode", f"{figures['mode']}, reachability {figures['reachability']}"
    yield "peers", f"{figures['peers']} in the routing table"
    yield (
        "lookups",
        f"{figures['queries_active']} active, {figures['queries_done']} done, {figures['queries_failed']} failed",
    )
    yield "lookup time", latency_text(figures["query_latency"])
    yield "last refresh", moment_text(figures["last_refresh"])
    own, pending, values = (figures[name] for name in ("own_announced", "own_pending", "own_values"))
    yield "announced", f"{own} own keys, {pending} pending; {values} values"
    yield "announcing", announcing_text(figures["announcing"])
    yield "held", f"{figures['provider_records']} provider records, {figures['value_records']} values"
    yield "found lately", f"{figures['providers_known']} providers"
    yield "refused", _refused(figures["refusals"])


def announcing_text(announcing: Any) -> str:
    """Whether announcing keeps up, and how the last sweep went."""
    if announcing["last_sweep_at"] is None:
        swept = "no sweep yet"
    else:
        pace = f"{announcing['keys_per_s']:.0f} keys a second"
        swept = f"last sweep {moment_text(announcing['last_sweep_at'])}, {pace}"
    behind = "" if announcing["keeping_up"] else f"CANNOT KEEP UP, {seconds_text(announcing['behind_s'])} behind; "
    return f"{behind}{announcing['due']} keys due; {swept}"


def latency_text(latency: Any) -> str:
    """How long the last lookups took."""
    if not latency["count"]:
        return "none yet"
    times = ", ".join(f"{latency[f'p{share}_s'] * 1000:.1f} ms in {share} %" for share in (50, 90, 99))
    return f"{times} of the last {latency['count']}"


def _refused(refusals: Any) -> str:
    return ", ".join(f"{count} {limit}" for limit, count in refusals.items() if count) or "nothing"


def _peers(count: int) -> str:
    return "1 peer" if count == 1 else f"{count} peers"
