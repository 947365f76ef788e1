"""What kind of content a file is: told by the end of its name, else by its first bytes."""

from __future__ import annotations

from mimetypes import MimeTypes

OCTET_STREAM = "application/octet-stream"
TEXT = "text/plain"
HEAD_BYTES = 512
"""Of a file's beginning that are looked at."""
_TYPES = MimeTypes()
"""The standard library's own list: what the system's files add would differ from machine to machine."""
_CUT_CHARACTER_BYTES = 3
"""What may be left of a character of UTF-8 that the end of the head cuts."""


def media_type(name: str, head: bytes = b"") -> str:
    """The type of a file called `name` that begins with `head`; empty if nothing is known of it.

    A compressed file is of the type of its compression, whatever is in it.
    """
    guessed, compression = _TYPES.guess_type(name, strict=False)
    if compression is not None:
        return f"application/{compression}"
    return guessed or _of_bytes(head)


def _of_bytes(head: bytes) -> str:
    if not head:
        return ""
    import filetype  # loaded on use: most names tell the type

    found = filetype.guess_mime(head)  # type: ignore[no-untyped-call]
    if found is not None:
        return str(found)
    return TEXT if _is_text(head) else OCTET_STREAM


def _is_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - _CUT_CHARACTER_BYTES and error.reason == "unexpected end of data"
    return True
