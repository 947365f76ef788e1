"""An S3 server for tests: versitygw over a directory, on loopback, with credentials of its own for each start.

Built once by the Go tool through its module proxy and kept beside the peers: `python -m interop.versitygw`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interop.build import BuildError, cache_root

VERSION = "1.8.0"
MODULE = f"github.com/versity/versitygw/cmd/versitygw@v{VERSION}"
PROGRAM = "versitygw"
REGION = "us-east-1"
_BUILD_S = 1800
_READY_S = 30.0
_POLL_S = 0.02
_STOP_S = 5.0
_LOG_TAIL_CHARS = 4000


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it is, who may ask, and its process."""

    endpoint: str
    access_key: str
    secret_key: str
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        """Where on loopback it listens."""
        return int(self.endpoint.rpartition(":")[2])

    def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        self.process.kill()
        self.process.wait()


def program_path() -> Path:
    """Where the program belongs, whether it is there or not."""
    return cache_root() / f"versitygw-{VERSION}" / PROGRAM


def can_build() -> bool:
    """Whether the tool that builds it is installed."""
    return shutil.which("go") is not None


def ensure() -> Path:
    """The program, built if it is not in the cache; raises `BuildError`."""
    target = program_path()
    if target.exists():
        return target
    if not can_build():
        raise BuildError("versitygw: go is not installed")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=cache_root()) as scratch:
        done = subprocess.run(
            ["go", "install", "-trimpath", MODULE],
            env=os.environ | {"GOBIN": scratch, "CGO_ENABLED": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_BUILD_S,
            check=False,
        )
        if done.returncode != 0:
            raise BuildError(f"versitygw: go install failed\n{done.stdout[-_LOG_TAIL_CHARS:]}")
        (Path(scratch) / PROGRAM).rename(target)
    return target


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path, before: Server | None = None) -> Iterator[Server]:
    """The server over `folder`/objects, answering inside the block and ended after it; raises `BuildError`.

    With the one that ran `before` on that folder it is the same store, at the same address for the same credentials.
    """
    program = ensure()
    for name in ("objects", "attributes"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    access_key, secret_key = (
        (secrets.token_hex(10), secrets.token_hex(20)) if before is None else (before.access_key, before.secret_key)
    )
    port = free_port() if before is None else before.port
    # The metadata lie in files of their own, because not every file system has extended attributes.
    command = [str(program), "--port", f"127.0.0.1:{port}", "--region", REGION, "--quiet"]
    command += ["posix", "--sidecar", str(folder / "attributes"), str(folder / "objects")]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=os.environ | {"ROOT_ACCESS_KEY": access_key, "ROOT_SECRET_KEY": secret_key},
        )
    try:
        _wait_listening(process, port, folder / "log")
        yield Server(f"http://127.0.0.1:{port}", access_key, secret_key, process)
    finally:
        _end(process)


def _wait_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), _READY_S).close()
            return
        except OSError:
            time.sleep(_POLL_S)
    raise BuildError(f"versitygw did not start: {log.read_text(errors='replace')[-_LOG_TAIL_CHARS:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> int:
    """Build it, with a line that says so; exit code 1 if that failed."""
    if program_path().exists():
        print(f"{PROGRAM:<12} ready: {program_path()}")
    elif not can_build():
        print(f"{PROGRAM:<12} skipped: go is not installed")
    else:
        started = time.monotonic()
        try:
            program = ensure()
        except BuildError as error:
            print(f"{PROGRAM:<12} failed: {error}")
            return 1
        print(f"{PROGRAM:<12} built in {time.monotonic() - started:.0f} s: {program}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
