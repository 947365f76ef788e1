"""A child process that says on its first line of stdout that it is ready: started, read line by line, and ended."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

READY_S = 60.0
STOP_S = 5.0
_RECEIVE_BYTES = 65_536
_LOG_TAIL_CHARS = 2000


class PeerError(Exception):
    """A peer did not start, died, refused a command or did not answer in time."""


class Child:
    """The process, its parsed ready line and its log. Made by `running`."""

    def __init__(self, process: trio.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._buffer = bytearray()
        self.ready: dict[str, Any] = {}

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def kill(self) -> None:
        """End the process at once, as `kill -9` does."""
        self._process.kill()

    async def write_line(self, line: str) -> None:
        """Write one line to its stdin; raises `PeerError` if the process is gone."""
        assert self._process.stdin is not None
        try:
            await self._process.stdin.send_all(line.encode() + b"\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise PeerError(f"the process is gone: {self.log_tail()}") from error

    async def read_line(self) -> dict[str, Any] | None:
        """The next line of its stdout as JSON, or None when there are no more."""
        assert self._process.stdout is not None
        while (end := self._buffer.find(b"\n")) < 0:
            data = await self._process.stdout.receive_some(_RECEIVE_BYTES)
            if not data:
                return None
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        parsed: dict[str, Any] = json.loads(line)
        return parsed

    def log_tail(self) -> str:
        """The end of what it wrote to stderr."""
        return self._log.read_text(errors="replace")[-_LOG_TAIL_CHARS:].strip() if self._log.exists() else ""

    def log_end(self) -> str:
        """The last line of what it wrote to stderr, for a message of one line; empty if it wrote nothing."""
        return "".join(self.log_tail().splitlines()[-1:])

    async def wait_ready(self) -> None:
        """Take the ready line; raises `PeerError` if it does not come in time."""
        with trio.move_on_after(READY_S):
            line = await self.read_line()
            if line is None or line.get("event") != "ready":
                raise PeerError(f"it did not start: {line or self.log_tail()}")
            self.ready = line
            return
        raise PeerError(f"not ready within {READY_S:.0f} s: {self.log_tail()}")

    async def end(self) -> None:
        """Ask the process to end, and end it if it does not."""
        self._process.terminate()
        with trio.move_on_after(STOP_S):
            await self._process.wait()
            return
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def running(command: Sequence[str], log: Path, *, cwd: Path | None = None) -> AsyncIterator[Child]:
    """Run `command` with stderr going to the file `log`; it is ready inside the block and has ended after it."""
    open_log: Callable[[], Any] = lambda: log.open("ab")  # noqa: E731
    with await trio.to_thread.run_sync(open_log) as stderr:
        process = await trio.lowlevel.open_process(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=cwd, env=os.environ
        )
    child = Child(process, log)
    try:
        await child.wait_ready()
        yield child
    finally:
        with trio.CancelScope(shield=True):
            await child.end()
