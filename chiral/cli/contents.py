"""Contents as arguments: a CID, or NAME and NAME@N of something that has versions, which the node is asked about."""

from __future__ import annotations

import re

from chiral.cli.client import Client

VERSION_MARK = "@"
_CID = re.compile(r"Qm[1-9A-HJ-NP-Za-km-z]{44}|b[a-z2-7]{50,}")
"""As nearly every CID is written; the others are known to the node."""


def is_cid(text: str) -> bool:
    """Whether `text` is a CID as nearly every one is written."""
    return _CID.fullmatch(text) is not None


def content_cid(client: Client, text: str) -> str:
    """The CID that `text` means. Raises `NotFoundError` if it is no CID and no name with versions."""
    stripped = text.strip()
    if _CID.fullmatch(stripped):
        return stripped
    return str(client.call("GET", "/versions/resolve", query={"text": stripped})["cid"])
