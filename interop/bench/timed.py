"""Peers that are timed from inside: what a call took without the start of a command or a line's way to the peer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import trio

from chiral.cli.client import Client, client_for
from interop.kinds import Kind
from interop.line_peer import LinePeer, open_line_peer
from interop.python_peer import PythonPeer, open_python_peer

GET_S = 150.0


@dataclass(frozen=True, slots=True)
class Added:
    """A file that was added: its root and the seconds from the call to its answer, or as the peer measured them."""

    cid: str
    seconds: float


class Timed(Protocol):
    """A running peer. Calls raise `PeerError` or a `ChiralError`."""

    pid: int
    addrs: Sequence[str]
    hashes_copies: bool
    """Whether its answer to `get` waits for the copy to be hashed once more, which is in no `seconds`."""

    async def add(self, path: Path, *, announce: bool) -> Added:
        """Add a file and, if it is to, announce its root."""
        ...

    async def get(self, cid: str, out: Path) -> float:
        """Fetch a file through the DHT; seconds as the peer measured them."""
        ...

    async def forget(self) -> None:
        """Give back the memory that blocks take; a peer that keeps them in a store does nothing."""
        ...


class TimedNode:
    """A Python node, called over the Unix socket of its API as the command line does."""

    hashes_copies = False

    def __init__(self, peer: PythonPeer) -> None:
        self.pid = peer.pid
        self.addrs: Sequence[str] = peer.addrs
        self.data = peer.data
        self._client: Client = client_for(peer.data)

    async def add(self, path: Path, *, announce: bool) -> Added:
        """It always announces; `announce` is what others need to be told."""

        def call() -> Added:
            started = time.perf_counter()
            added = self._client.lines("POST", "/files", body={"path": str(path), "name": path.name}, timeout_s=GET_S)
            return Added(str(added["cid"]), time.perf_counter() - started)

        return await trio.to_thread.run_sync(call, abandon_on_cancel=True)

    async def get(self, cid: str, out: Path) -> float:
        body = {"path": str(out), "overwrite": True, "timeout_s": GET_S}

        def call() -> Any:
            return self._client.lines("POST", f"/files/{cid}/save", body=body, timeout_s=GET_S)

        return float((await trio.to_thread.run_sync(call, abandon_on_cancel=True))["seconds"])

    async def forget(self) -> None:
        """Nothing to do: blocks lie in the store."""


class TimedLine:
    """A Rust or Go peer."""

    hashes_copies = True

    def __init__(self, peer: LinePeer) -> None:
        self.pid = peer.pid
        self.addrs: Sequence[str] = peer.addrs
        self._peer = peer

    async def add(self, path: Path, *, announce: bool) -> Added:
        reply = await self._peer.command("add", str(path), "root" if announce else "none")
        return Added(str(reply["cid"]), float(reply["seconds"]))

    async def get(self, cid: str, out: Path) -> float:
        reply = await self._peer.command("get", cid, str(out), str(GET_S), timeout_s=GET_S + 30)
        return float(reply["seconds"])

    async def forget(self) -> None:
        await self._peer.command("forget")


@asynccontextmanager
async def open_timed(
    kind: Kind, folder: Path, *, bootstrap: Sequence[str] = (), options: Sequence[str] = ()
) -> AsyncIterator[Timed]:
    """A running peer of `kind` with its log and data in `folder`, which is made."""
    await trio.Path(folder).mkdir(parents=True, exist_ok=True)
    if kind is Kind.PYTHON:
        async with open_python_peer(folder, bootstrap, options) as node:
            yield TimedNode(node)
    else:
        async with open_line_peer(kind, folder, bootstrap, options) as peer:
            yield TimedLine(peer)
