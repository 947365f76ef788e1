"""Three Garage nodes on loopback that keep everything three times: an object store which outlives one of its nodes.

Garage is not built here: `cargo install garage --version 2.5.0` takes a quarter of an hour. It is found in PATH, or
where `CHIRAL_GARAGE` says.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from interop.build import BuildError
from interop.versitygw import free_port

VERSION = "2.5.0"
REGION = "garage"
BUCKET = "chiral-blocks"
NODES = 3
_KEY_NAME = "chiral"
_CAPACITY = "4G"
_READY_S = 60.0
_POLL_S = 0.1
_STOP_S = 10.0
_LOG_TAIL_CHARS = 2000
_ACCESS_KEY = re.compile(r"\bGK[0-9a-f]{24}\b")
_SECRET_KEY = re.compile(r"\b[0-9a-f]{64}\b")


def program() -> Path | None:
    """The installed program, or None."""
    given = os.environ.get("CHIRAL_GARAGE") or shutil.which("garage")
    return Path(given) if given else None


@dataclass(slots=True)
class GarageNode:
    """One node: its folder with configuration, data and log; its process while it runs."""

    folder: Path
    s3_port: int
    rpc_port: int
    process: trio.Process | None = None

    @property
    def endpoint(self) -> str:
        """Where it answers as S3."""
        return f"http://127.0.0.1:{self.s3_port}"

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.folder / "garage.toml"

    def log_tail(self) -> str:
        """The end of what it said."""
        log = self.folder / "log"
        return log.read_text(errors="replace")[-_LOG_TAIL_CHARS:] if log.exists() else ""

    async def start(self, garage: Path) -> None:
        """Start it; it need not be ready when this returns."""
        with (self.folder / "log").open("ab") as log:
            command = [str(garage), "-c", str(self.config), "server"]
            self.process = await trio.lowlevel.open_process(command, stdout=log, stderr=log)

    async def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        if self.process is not None:
            self.process.kill()
            await self.process.wait()
            self.process = None

    async def stop(self) -> None:
        """Ask it to end."""
        if self.process is not None:
            self.process.terminate()
            with trio.move_on_after(_STOP_S):
                await self.process.wait()
            await self.kill()


@dataclass(frozen=True, slots=True)
class Cluster:
    """Running nodes, any of which serves `BUCKET` to the key."""

    nodes: list[GarageNode]
    access_key: str
    secret_key: str
    garage: Path


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Cluster]:
    """Three nodes with a bucket and a key, ended after the block; raises `BuildError`."""
    garage = program()
    if garage is None:
        raise BuildError("garage is not installed")
    rpc_secret = secrets.token_hex(32)
    nodes = [_configured(folder / f"node-{number}", rpc_secret) for number in range(NODES)]
    try:
        for node in nodes:
            await node.start(garage)
        names = [await _name_of(garage, node) for node in nodes]
        first = nodes[0]
        for name in names[1:]:
            await _command(garage, first, "node", "connect", name)
        for number, name in enumerate(names):
            ident = name.partition("@")[0]
            await _command(garage, first, "layout", "assign", "-z", f"zone-{number}", "-c", _CAPACITY, ident)
        await _command(garage, first, "layout", "apply", "--version", "1")
        access_key, secret_key = await _make_bucket(garage, first)
        yield Cluster(nodes, access_key, secret_key, garage)
    finally:
        with trio.CancelScope(shield=True):
            for node in nodes:
                await node.stop()


def _configured(folder: Path, rpc_secret: str) -> GarageNode:
    folder.mkdir(parents=True)
    node = GarageNode(folder, free_port(), free_port())
    node.config.write_text(
        f'''metadata_dir = "{folder}/meta"
data_dir = "{folder}/data"
db_engine = "lmdb"
lmdb_map_size = "4G"
replication_factor = {NODES}
rpc_bind_addr = "127.0.0.1:{node.rpc_port}"
rpc_public_addr = "127.0.0.1:{node.rpc_port}"
rpc_secret = "{rpc_secret}"

[s3_api]
s3_region = "{REGION}"
api_bind_addr = "127.0.0.1:{node.s3_port}"
'''
    )
    node.config.chmod(0o600)  # it holds a secret, and Garage refuses to start when others may read it
    return node


async def _name_of(garage: Path, node: GarageNode) -> str:
    """`ID@HOST:PORT` of a node that has started."""
    with trio.move_on_after(_READY_S):
        while True:
            done = await _run(garage, node, ["status"])
            if done.returncode == 0:
                return (await _command(garage, node, "node", "id", "-q")).strip()
            if node.process is None or node.process.poll() is not None:
                break
            await trio.sleep(_POLL_S)
    raise BuildError(f"a Garage node did not start: {node.log_tail()}")


async def _make_bucket(garage: Path, node: GarageNode) -> tuple[str, str]:
    """The access key and secret of a new key that may read and write the new bucket."""
    with trio.move_on_after(_READY_S):
        while True:
            made = await _run(garage, node, ["bucket", "create", BUCKET])
            if made.returncode == 0:
                break
            await trio.sleep(_POLL_S)  # the nodes must have heard of the layout first
        told = await _command(garage, node, "key", "create", _KEY_NAME)
        access_key, secret_key = _ACCESS_KEY.search(told), _SECRET_KEY.search(told)
        if access_key is None or secret_key is None:
            raise BuildError("garage key create does not tell the key and its secret")
        await _command(garage, node, "bucket", "allow", "--read", "--write", BUCKET, "--key", access_key[0])
        return access_key[0], secret_key[0]
    raise BuildError(f"Garage did not take up its layout: {node.log_tail()}")


async def _command(garage: Path, node: GarageNode, *arguments: str) -> str:
    done = await _run(garage, node, arguments)
    if done.returncode != 0:
        raise BuildError(f"garage {' '.join(arguments[:2])} failed: {done.stderr.decode(errors='replace')}")
    return str(done.stdout.decode(errors="replace"))


async def _run(garage: Path, node: GarageNode, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    command = [str(garage), "-c", str(node.config), *arguments]
    return await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
