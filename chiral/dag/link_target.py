"""Where a symbolic link of a directory leads, judged by its text alone: inside that directory, or out of it."""

from __future__ import annotations

MAX_TARGET_BYTES = 4095
"""What Linux takes."""


def target_fault(target: bytes, depth: int) -> str:
    """Why a link whose parent lies `depth` directories below the root leads out of it; empty if it stays inside.

    A link may go up first and down then, never up again: what lies between may be a link too, and going up from where
    that leads is another place than the text says. So, as long as every link of a tree passes here, none of them
    leads out of it by way of others.
    """
    if not target or b"\0" in target or len(target) > MAX_TARGET_BYTES:
        return "no path that a link can have"
    if target.startswith(b"/"):
        return "an absolute path"
    ups, down = 0, False
    for part in target.split(b"/"):
        if part == b"..":
            if down:
                return "a path that goes up again after it went down"
            ups += 1
        elif part not in (b"", b"."):
            down = True
    return "a path out of the directory" if ups > depth else ""
