"""`make demo`: a bootstrap node and two nodes as processes of their own share a real file through the DHT.

`--file PATH` shares that file. Everything it makes lies in a temporary directory and is gone at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHIRAL = (sys.executable, "-m", "chiral")
MIB_BYTES = 1 << 20
_START_S = 30
_STOP_S = 5
_COMMAND_S = 300


@dataclass(frozen=True)
class Node:
    """A running node: its data directory and what it said when it was ready."""

    name: str
    data: Path
    peer_id: str
    addrs: list[str]

    def call(self, *arguments: str) -> Any:
        """A client command against this node; returns its JSON, or ends the demo with what it said."""
        done = subprocess.run(
            [*CHIRAL, *arguments, "--data", str(self.data), "--json"],
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"chiral {' '.join(arguments)}: {done.stderr.strip()}")
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
        return lines[0] if len(lines) == 1 else lines


def start(stack: ExitStack, name: str, base: Path, *arguments: str) -> Node:
    """A node in a process of its own, ended with `stack`."""
    data = base / name
    process = subprocess.Popen(
        [*CHIRAL, "run", "--json", "--data", str(data), "--listen", "/ip4/127.0.0.1/tcp/0", *arguments],
        stdout=subprocess.PIPE,
        stderr=(base / f"{name}.log").open("w"),
        text=True,
    )
    stack.callback(stop, process)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"the node did not start:\n{(base / f'{name}.log').read_text()}")
    ready = json.loads(line)
    print(f"  {name:<10} pid {process.pid:<7} {ready['peer_id']}")
    return Node(name, data, ready["peer_id"], ready["addrs"])


def stop(process: subprocess.Popen[str]) -> None:
    """Ask the process to end, and end it if it does not."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def real_file() -> Path:
    """A real file of some megabytes that is always there: this Python's library, or the largest one installed."""
    library = Path(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or "")
    if library.is_file() and library.stat().st_size >= 4 * MIB_BYTES:
        return library
    return max(Path(sys.prefix, "lib").rglob("*.so"), key=lambda path: path.stat().st_size)


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def share(stack: ExitStack, base: Path, source: Path) -> bool:
    """The demonstration itself; True if the copy equals the source."""
    print("\nthree nodes, three processes; alice and bob know nothing but the bootstrap node's address:")
    bootstrap = start(stack, "bootstrap", base, "--profile", "bootstrap")
    alice = start(stack, "alice", base, "--bootstrap", bootstrap.addrs[0])
    bob = start(stack, "bob", base, "--bootstrap", bootstrap.addrs[0])

    size = source.stat().st_size
    print(f"\nalice adds {source.name} ({size / MIB_BYTES:.1f} MiB):")
    started = time.perf_counter()
    added = alice.call("add", str(source))
    print(f"  {added['cid']}")
    print(f"  {added['chunks']} blocks in {time.perf_counter() - started:.2f} s, announced to the DHT")

    providers = bob.call("dht", "providers", added["cid"])
    found = [entry["peer_id"] for entry in (providers if isinstance(providers, list) else [providers])]
    who = "alice" if alice.peer_id in found else ", ".join(found)
    print(f"\nbob asks the DHT who provides it: {who}")

    target = base / "copy"
    started = time.perf_counter()
    bob.call("get", added["cid"], "-o", str(target))
    elapsed = time.perf_counter() - started
    rate = size / MIB_BYTES / elapsed
    print(f"bob gets it in {elapsed:.2f} s ({rate:.0f} MiB/s, the command's own start included)\n")

    original, copy = sha256_of(source), sha256_of(target)
    print(f"  sha256 of alice's file  {original}")
    print(f"  sha256 of bob's copy    {copy}")
    return original == copy


def main() -> int:
    """Run the demonstration; exit code 0 if the copy is the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, default=None, help="the file to share")
    source = parser.parse_args().file or real_file()
    base = Path(tempfile.mkdtemp(prefix="chiral-demo-"))
    try:
        with ExitStack() as stack:
            same = share(stack, base, source)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    if not same:
        print("\nthe copy differs: that must not happen")
        return 1
    print("  the same, every block verified against its CID on the way\n")
    print("next, in two terminals:")
    print("  .venv/bin/chiral run                       # a node of your own, in ~/.chiral")
    print("  .venv/bin/chiral add FILE                  # prints the CID to give to others")
    print("  .venv/bin/chiral get CID                   # on any node of the swarm")
    print("  .venv/bin/chiral --help                    # everything else")
    return 0


if __name__ == "__main__":
    sys.exit(main())
