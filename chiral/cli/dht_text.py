"""How the DHT's answers look to people: peers with their distance, moments, the filled buckets of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import click

from chiral.cli.printing import printable

_BITS = 256


def show_peer(peer: Any, *remarks: str) -> None:
    """A peer on a line, with its distance from what was sought and `remarks`; its addresses on lines under it."""
    distance = peer.get("distance")
    told = [] if distance is None else [f"distance {distance_text(distance)}"]
    click.echo("  ".join([peer["peer_id"], *told, *map(printable, remarks)]))
    for addr in peer["addrs"]:
        click.echo(f"  {addr}")


def distance_text(distance: str) -> str:
    """An XOR distance of 64 hexadecimal digits: its first eight, and how many leading bits both points share."""
    shared = _BITS - int(distance, 16).bit_length()
    return f"{distance[:8]}… ({shared} {'bit' if shared == 1 else 'bits'} shared)"


def moment_text(unix_s: float | None) -> str:
    """A moment in this machine's time zone, or `never`."""
    return "never" if unix_s is None else datetime.fromtimestamp(unix_s).astimezone().isoformat(" ", "seconds")


def bucket_rows(counts: Sequence[int]) -> Iterator[tuple[str, str, str]]:
    """`(bucket, peers, bar)` for each bucket that holds a peer, and one row for each run of empty ones between them."""
    last = max((index for index, count in enumerate(counts) if count), default=-1)
    empty_from: int | None = None
    for index, count in enumerate(counts[: last + 1]):
        if not count:
            empty_from = index if empty_from is None else empty_from
            continue
        if empty_from is not None:
            yield (str(empty_from) if empty_from == index - 1 else f"{empty_from}-{index - 1}"), "-", ""
            empty_from = None
        yield str(index), str(count), "#" * count
