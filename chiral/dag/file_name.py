"""A file name that is safe to create, made of one that somebody claimed."""

from __future__ import annotations

import re

UNNAMED = "unnamed"
MAX_NAME_BYTES = 200
"""Leaves room for suffixes under the 255 bytes that file systems allow."""
_MAX_EXTENSION_BYTES = 20
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DIRECTION_MARKS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""They make a name read otherwise than it is: `fdp.exe` for `exe.pdf`."""
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?=$|\.)", re.IGNORECASE)


def sanitise_name(name: str) -> str:
    """The base name of `name`, fit to create in any directory: never empty, a path, hidden, an option or too long.

    At most 200 bytes of UTF-8, keeping the extension. Control characters and direction marks are left out, a leading
    `.` or `-` becomes `_`, and a name that some system reserves gets a `_` before it.
    """
    base = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    base = _DIRECTION_MARKS.sub("", _CONTROLS.sub("", _SURROGATES.sub("�", base)))
    base = base.strip().rstrip(". ")
    if not base:
        return UNNAMED
    if base[0] in ".-":
        base = "_" + base[1:]
    if _RESERVED.match(base):
        base = "_" + base
    return _shorten(base)


def _shorten(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    tail = (dot + extension).encode()
    if not stem or len(tail) > _MAX_EXTENSION_BYTES:
        stem, tail = name, b""
    # Cut between bytes, then drop the part of a character that may be left.
    return stem.encode()[: MAX_NAME_BYTES - len(tail)].decode(errors="ignore").rstrip(". ") + tail.decode()
