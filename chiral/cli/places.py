"""Content and a path below it as an argument: `CID/dir/file`, `/ipfs/CID/…`, or a name that has versions."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.cli.client import Client
from chiral.cli.contents import VERSION_MARK, content_cid, is_cid
from chiral.cli.names import plain_name
from chiral.errors import InvalidCidError, NotFoundError

_IPFS = "/ipfs/"


@dataclass(frozen=True, slots=True)
class ContentPlace:
    """A CID as text, and the path from there, empty for the CID itself."""

    cid: str
    path: str

    @property
    def shown(self) -> str:
        """Short, for progress bars."""
        end = self.path.rstrip("/").rpartition("/")[2]
        return end or f"{self.cid[:12]}…"


def content_at(client: Client, text: str) -> ContentPlace:
    """What the argument `text` means. Raises `InvalidCidError`, or what the node answers about a name."""
    stripped = text.strip()
    _, mark, after = stripped.partition(_IPFS)
    wanted = (after if mark else stripped).rstrip("/")
    head, slash, path = wanted.partition("/")
    if slash and is_cid(head):
        return ContentPlace(head, path)
    if is_cid(wanted):
        return ContentPlace(wanted, "")
    try:
        return ContentPlace(plain_name(wanted) if slash else _named(client, wanted), "")
    except InvalidCidError:
        if not slash:
            raise
    try:
        return ContentPlace(content_cid(client, wanted), "")
    except NotFoundError:
        return ContentPlace(_named(client, head), path)


def _named(client: Client, text: str) -> str:
    """The CID of what `text` names; where it names nothing it is left to the node to say so of a CID."""
    try:
        return content_cid(client, text)
    except NotFoundError:
        if VERSION_MARK in text:  # no CID has it
            raise
        return plain_name(text)
