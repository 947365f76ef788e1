"""A Python node as users run it: `chiral run` in a process of its own, spoken to through the `chiral` command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from interop.child import Child, PeerError, running
from interop.fetched import Fetched
from interop.kinds import Kind

CHIRAL = (sys.executable, "-m", "chiral")
COMMAND_S = 120.0
_GET_MARGIN_S = 15.0
_LISTEN = "/ip4/127.0.0.1/tcp/0"


class CommandError(PeerError):
    """A `chiral` command failed; `exit_code` is what it ended with."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class PythonPeer:
    """A running node and its data directory."""

    kind = Kind.PYTHON

    def __init__(self, child: Child, data: Path) -> None:
        self.peer_id: str = child.ready["peer_id"]
        self.addrs: list[str] = child.ready["addrs"]
        self.data = data
        self._child = child

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def kill(self) -> None:
        """End the process at once, as `kill -9` does."""
        self._child.kill()

    async def cli(self, *arguments: str, timeout_s: float = COMMAND_S) -> list[dict[str, Any]]:
        """Run a client command against this node; its JSON lines, or `CommandError` with its exit code."""
        with trio.move_on_after(timeout_s):
            done = await trio.run_process(
                [*CHIRAL, *arguments, "--data", str(self.data), "--json"],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )
            return self._lines(arguments, done)
        raise PeerError(f"python: no answer to {arguments[0]} within {timeout_s:.0f} s: {self._child.log_end()}")

    def _lines(self, arguments: Sequence[str], done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
        if done.returncode != 0:
            said, log = done.stderr.decode(errors="replace").strip(), self._child.log_end()
            message = f"python: {arguments[0]}: {said}" + (f"; its log ends: {log}" if log else "")
            raise CommandError(message, done.returncode)
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]

    async def add(self, path: Path) -> str:
        """Add and announce a file; returns its Chiral root CID."""
        return str((await self.cli("add", str(path)))[0]["cid"])

    async def provide(self, cid: str) -> None:
        """Announce `cid` once more."""
        await self.cli("dht", "provide", cid)

    async def providers(self, cid: str) -> list[str]:
        """Peer ids of who provides `cid`; raises `CommandError` where nobody does."""
        return [line["peer_id"] for line in await self.cli("dht", "providers", cid)]

    async def connect(self, addr: str) -> None:
        """Connect to the peer at `addr`, which ends in /p2p/ID."""
        await self.cli("connect", addr)

    async def get(self, cid: str, out: Path, timeout_s: float) -> Fetched:
        """Fetch a file through the DHT into `out`."""
        arguments = ("get", cid, "-o", str(out), "--timeout", str(timeout_s))
        saved = (await self.cli(*arguments, timeout_s=timeout_s + _GET_MARGIN_S))[0]
        return Fetched(saved["seconds"], saved["size"])


@asynccontextmanager
async def open_python_peer(folder: Path, bootstrap: Sequence[str], options: Sequence[str]) -> AsyncIterator[PythonPeer]:
    """A running node with its data directory and log in `folder`; raises `PeerError`."""
    data = folder / "data"
    command = [*CHIRAL, "run", "--json", "--data", str(data), *options]
    if "--listen" not in options:
        command += ["--listen", _LISTEN]
    for addr in bootstrap:
        command += ["--bootstrap", addr]
    async with running(command, folder / "log") as child, trio.open_nursery() as nursery:
        nursery.start_soon(_drain, child)
        yield PythonPeer(child, data)
        nursery.cancel_scope.cancel()


async def _drain(child: Child) -> None:
    """Read what the node says after it is ready, so that it never waits for a full pipe."""
    while await child.read_line() is not None:
        pass
