"""One face for the peers of every kind, so that a scenario does not ask who is who."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from interop.fetched import Fetched
from interop.kinds import Kind
from interop.line_peer import open_line_peer
from interop.python_peer import open_python_peer


class Peer(Protocol):
    """A running peer in a process of its own. Every call raises `interop.child.PeerError` if it fails or is late."""

    kind: Kind
    peer_id: str
    addrs: list[str]

    @property
    def pid(self) -> int:
        """The process id."""
        ...

    def kill(self) -> None:
        """End the process at once, as `kill -9` does."""
        ...

    async def add(self, path: Path) -> str:
        """Add and announce a file; returns its Chiral root CID."""
        ...

    async def provide(self, cid: str) -> None:
        """Announce `cid` once more."""
        ...

    async def providers(self, cid: str) -> list[str]:
        """Peer ids of who provides `cid`."""
        ...

    async def connect(self, addr: str) -> None:
        """Connect to the peer at `addr`, which ends in /p2p/ID."""
        ...

    async def get(self, cid: str, out: Path, timeout_s: float) -> Fetched:
        """Fetch a file through the DHT into `out`."""
        ...


def open_peer(
    kind: Kind, folder: Path, *, bootstrap: Sequence[str] = (), options: Sequence[str] = ()
) -> AbstractAsyncContextManager[Peer]:
    """A peer of `kind`, running inside the block and ended after it, by force if need be.

    `folder` is made and takes the peer's log and data. `options` are further options of its command line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if kind is Kind.PYTHON:
        return open_python_peer(folder, bootstrap, options)
    return open_line_peer(kind, folder, bootstrap, options)
