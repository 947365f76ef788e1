"""What a run ran on: machine, versions, file systems, options. All that a reader needs to weigh the figures."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import chiral
from interop.bench.places import file_system
from interop.bench.run import NAMES, Options
from interop.kinds import Kind

_LIBRARIES = ("trio", "lmdb", "cryptography", "libp2p")
_PEERS = {
    Kind.GO: "go-libp2p 0.51.0",
    Kind.RUST_NEWEST: "rust-libp2p 0.57.1",
    Kind.RUST_054: "rust-libp2p 0.54.1 (it closes idle connections at once; between two of it they are kept)",
}


def cpu_name(cpuinfo: str) -> str:
    """The processor's name in the text of /proc/cpuinfo."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def facts(options: Options, tmpfs: Path, disk: Path, kinds: list[Kind]) -> dict[str, str]:
    """The facts by name, in the order shown."""
    cpu = cpu_name(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    peers = ", ".join(f"{NAMES[kind]}: {_PEERS[kind]}" for kind in kinds if kind in _PEERS)
    return {
        "machine": f"{os.cpu_count()} cores of {cpu}, Linux {platform.release()}; load before the run {load}",
        "Chiral": f"{chiral.__version__}, Python {platform.python_version()}, {libraries}",
        "peers": f"{peers or 'none'}; they keep blocks in memory, Chiral keeps them in LMDB, durable",
        "file systems": f"'tmpfs' is {file_system(tmpfs)}, 'disk' is {file_system(disk)}",
        "rounds": f"{options.rounds} in turn{', the quick run' if options.quick else ''}",
    }
