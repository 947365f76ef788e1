"""A provider, a process of its own, is killed in the middle of a transfer: another takes over, or a clear error."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from chiral.errors import RemoteError
from chiral.events.types import BlockReceived, Event
from chiral.exchange.codec import NOT_HELD
from chiral.files.results import FileAdded
from chiral.host.addresses import parse_peer_address
from chiral.interface.peer import PeerInfo
from chiral.interface.streams import Stream
from chiral.node.node import Node
from chiral.transfer.settings import TransferSettings
from tests.scenarios.swarm import (
    LOOPBACK,
    add,
    config,
    honest,
    identified,
    names,
    random_file,
    running,
    serve_by,
    sha256_of,
)

SIZE_BYTES = 16 << 20
SHORT = TransferSettings(lookahead=8, retry_s=0.05, patience_s=1.0)
"""Little is asked for ahead, so that most of the file is still to come when the provider dies."""


@dataclass(frozen=True)
class Child:
    """A `chiral run` and where it listens."""

    process: trio.Process
    address: str


@asynccontextmanager
async def child(directory: Path) -> AsyncIterator[Child]:
    """A node in a process of its own, over a data directory that may hold files already."""
    command = [sys.executable, "-m", "chiral", "run", "--data", str(directory), "--listen", LOOPBACK]
    process = await trio.lowlevel.open_process(
        [*command, "--api", "127.0.0.1:0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        ready = json.loads(await _first_line(process))
        yield Child(process, ready["addrs"][0])
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()
            if process.stdout is not None:
                await process.stdout.aclose()


async def _first_line(process: trio.Process) -> bytes:
    assert process.stdout is not None
    line = b""
    with trio.fail_after(20):
        while not line.endswith(b"\n"):
            part = await process.stdout.receive_some(4096)
            assert part, f"the node ended with {process.returncode}"
            line += part
    return line


async def prepared(directory: Path, original: Path) -> FileAdded:
    """Have a data directory with the file in it."""
    async with running(directory) as node:
        return await add(node, original)


def at_a_quarter(strike: Callable[[], None]) -> Callable[[int, int | None], None]:
    """A progress callback that strikes once a quarter of the file is written."""
    struck = False

    def progress(done: int, total: int | None) -> None:
        nonlocal struck
        if not struck and done >= SIZE_BYTES // 4:
            struck = True
            strike()

    return progress


async def test_another_provider_takes_over(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", SIZE_BYTES)
    (tmp_path / "out").mkdir()
    added = await prepared(tmp_path / "killed", original)
    async with (
        child(tmp_path / "killed") as doomed,
        running(tmp_path / "other", doomed.address) as other,
        running(tmp_path / "down", doomed.address, transfer=SHORT) as node,
    ):
        alive = True

        async def wait_for_its_hour(stream: Stream, content: bytes) -> None:
            """Else this one might bring it all."""
            await (stream.finish(NOT_HELD) if alive else honest(stream, content))

        def kill() -> None:
            nonlocal alive
            alive = False
            doomed.process.kill()

        serve_by(other, wait_for_its_hour)
        await add(other, original)
        with trio.fail_after(30):
            saved = await node.files.save(
                added.root,
                tmp_path / "out" / "copy",
                overwrite=False,
                timeout_s=20.0,
                progress=at_a_quarter(kill),
            )
        assert saved.providers == 2
        assert await doomed.process.wait() == -signal.SIGKILL
    assert names(tmp_path / "out") == ["copy"]
    assert sha256_of(tmp_path / "out" / "copy") == sha256_of(original)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_with_no_other_it_is_a_clear_error_and_no_file(tmp_path: Path, blow: signal.Signals) -> None:
    original = random_file(tmp_path / "original", SIZE_BYTES)
    (tmp_path / "out").mkdir()
    added = await prepared(tmp_path / "killed", original)
    async with child(tmp_path / "killed") as doomed, running(tmp_path / "down", doomed.address, transfer=SHORT) as node:

        def strike() -> None:
            doomed.process.send_signal(blow)

        with pytest.raises(RemoteError) as raised, trio.fail_after(30):
            await node.files.save(
                added.root, tmp_path / "out" / "copy", overwrite=False, timeout_s=1.5, progress=at_a_quarter(strike)
            )
        assert str(added.root) in raised.value.message
        assert "\n" not in str(raised.value)
        assert names(tmp_path / "out") == []
        assert await node.files.record(added.root) is None


async def test_what_came_before_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider is started again, on another port; the same get goes on from where it was."""
    original = random_file(tmp_path / "original", SIZE_BYTES)
    added = await prepared(tmp_path / "killed", original)
    async with Node(config(tmp_path / "down", transfer=SHORT)) as node:
        async with child(tmp_path / "killed") as doomed:
            await _connect(node, doomed)
            with pytest.raises(RemoteError):
                await node.files.save(
                    added.root,
                    tmp_path / "copy",
                    overwrite=False,
                    timeout_s=1.5,
                    progress=at_a_quarter(doomed.process.kill),
                )
        before = (await node.blockstore.stats()).blocks
        assert before >= added.chunks // 4
        async with child(tmp_path / "killed") as again:
            await _connect(node, again)
            fetched = 0

            def count(event: Event) -> None:
                nonlocal fetched
                fetched += isinstance(event, BlockReceived)

            monkeypatch.setattr(node.events, "publish", count)
            with trio.fail_after(30):
                await node.files.save(added.root, tmp_path / "copy", overwrite=False, timeout_s=10.0)
            assert fetched == added.chunks - before
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


async def _connect(node: Node, source: Child) -> None:
    peer, addr = parse_peer_address(source.address)
    await node.connections.connect(PeerInfo(peer, (addr,)))
    await identified(node, 1)
