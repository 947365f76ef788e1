"""What the kernel has counted in this network namespace: bytes of an interface, and connections."""

from __future__ import annotations

from pathlib import Path

_INTERFACES = Path("/proc/net/dev")
_SOCKETS = Path("/proc/net/tcp")
_SENT_BYTES = 8
_STATE = 3
_ESTABLISHED = "01"


def bytes_sent(text: str | None = None, interface: str = "lo") -> int:
    """What an interface has sent, by the text of /proc/net/dev or as it is now; `LookupError` if it is not there."""
    for line in (_INTERFACES.read_text(encoding="ascii") if text is None else text).splitlines():
        name, _, fields = line.partition(":")
        if name.strip() == interface:
            return int(fields.split()[_SENT_BYTES])
    raise LookupError(f"no interface {interface}")


def connections(text: str | None = None) -> int:
    """Connections within this machine, each of two ends, by the text of /proc/net/tcp or as it is now."""
    lines = (_SOCKETS.read_text(encoding="ascii") if text is None else text).splitlines()
    return sum(line.split()[_STATE] == _ESTABLISHED for line in lines[1:]) // 2
