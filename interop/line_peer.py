"""A Rust or Go peer, driven by lines on its stdin; `README.md` has the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from interop.build import ensure
from interop.child import Child, PeerError, running
from interop.fetched import Fetched
from interop.kinds import Kind

COMMAND_S = 120.0
_GET_MARGIN_S = 15.0  # for reading the file again and for the reply, after the peer's own time-out


class LinePeer:
    """A running peer. Commands may overlap; each reply finds its command by id."""

    def __init__(self, kind: Kind, child: Child) -> None:
        self.kind = kind
        self.peer_id: str = child.ready["peer_id"]
        self.addrs: list[str] = child.ready["addrs"]
        self.bootstrapped: int = child.ready["bootstrapped"]
        self._child = child
        self._next_id = 1
        self._waiting: dict[int, trio.MemorySendChannel[dict[str, Any]]] = {}

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def kill(self) -> None:
        """End the process at once, as `kill -9` does."""
        self._child.kill()

    async def command(self, *words: str, timeout_s: float = COMMAND_S) -> dict[str, Any]:
        """Send one command and return its reply; raises `PeerError` if the peer refuses, dies or is late."""
        if any(not word or word.split() != [word] for word in words):
            raise ValueError(f"a word is empty or has white space in it: {words}")
        number, self._next_id = self._next_id, self._next_id + 1
        send, receive = trio.open_memory_channel[dict[str, Any]](1)
        self._waiting[number] = send
        try:
            with trio.move_on_after(timeout_s) as scope:
                await self._child.write_line(" ".join((str(number), *words)))
                reply = await receive.receive()
        except trio.EndOfChannel:
            raise PeerError(f"{self.kind}: died during {words[0]}: {self._child.log_tail()}") from None
        finally:
            self._waiting.pop(number, None)
        if scope.cancelled_caught:
            raise PeerError(f"{self.kind}: no reply to {words[0]} within {timeout_s:.0f} s")
        if not reply["ok"]:
            raise PeerError(f"{self.kind}: {words[0]}: {reply['error']}")
        return reply

    async def read_replies(self) -> None:
        """Hand every reply to the command that waits for it, until the process ends. Runs as a task of `open_peer`."""
        while (line := await self._child.read_line()) is not None:
            waiting = self._waiting.get(line.get("id") or 0)
            if waiting is not None:
                waiting.send_nowait(line)
        for waiting in self._waiting.values():
            waiting.close()

    async def add(self, path: Path) -> str:
        """Add and announce a file; returns its root CID."""
        return str((await self.command("add", str(path)))["cid"])

    async def provide(self, cid: str) -> None:
        """Announce `cid` once more."""
        await self.command("provide", cid)

    async def providers(self, cid: str) -> list[str]:
        """Peer ids of who provides `cid`."""
        return list((await self.command("providers", cid))["providers"])

    async def connect(self, addr: str) -> None:
        """Connect to the peer at `addr`, which ends in /p2p/ID."""
        await self.command("connect", addr)

    async def get(self, cid: str, out: Path, timeout_s: float) -> Fetched:
        """Fetch a file through the DHT into `out`."""
        reply = await self.command("get", cid, str(out), str(timeout_s), timeout_s=timeout_s + _GET_MARGIN_S)
        return Fetched(reply["seconds"], reply["size"])


@asynccontextmanager
async def open_line_peer(
    kind: Kind, folder: Path, bootstrap: Sequence[str], options: Sequence[str]
) -> AsyncIterator[LinePeer]:
    """A running peer of `kind`, its log in `folder`; raises `interop.build.BuildError` or `PeerError`."""
    program = await trio.to_thread.run_sync(ensure, kind)
    command = [str(program), *options]
    for addr in bootstrap:
        command += ["--bootstrap", addr]
    async with running(command, folder / "log") as child, trio.open_nursery() as nursery:
        peer = LinePeer(kind, child)
        nursery.start_soon(peer.read_replies)
        yield peer
        nursery.cancel_scope.cancel()
