"""CIDs and peer ids as arguments, brought into a form that fits a path of the API; the node says what is none."""

from __future__ import annotations

import click

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")


def plain_name(text: str) -> str:
    """`text` if it is only letters and digits, as nearly all names are; else the CID it writes, in base32.

    An `/ipfs/` path or URL is a CID too, and so is base64. Raises `InvalidCidError`.
    """
    stripped = text.strip()
    if stripped and _PLAIN.issuperset(stripped):
        return stripped
    from chiral.block.cid import CID  # loaded on use: its parser takes longer than most commands

    return str(CID.parse(stripped))


def take_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Click's callback for one such argument."""
    return None if value is None else plain_name(value)


def take_names(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Click's callback for several."""
    return tuple(plain_name(text) for text in value)


cid_argument = click.argument("cid", callback=take_name)
