"""Builds the Rust and Go peers once and keeps the programs outside the tree: `python -m interop.build`.

Cached under `$CHIRAL_INTEROP_CACHE` (default `~/.cache/chiral-interop`), keyed by a hash of sources and lock file.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from interop.kinds import BUILT, Kind

HERE = Path(__file__).parent
PROGRAM = "chiral-peer"
_BUILD_S = 1800
_LOG_TAIL_CHARS = 4000


class BuildError(Exception):
    """A peer cannot be built; the message ends with what the compiler said last."""


def cache_root() -> Path:
    """Where built peers are kept."""
    return Path(os.environ.get("CHIRAL_INTEROP_CACHE") or Path.home() / ".cache" / "chiral-interop")


def sources(kind: Kind) -> list[Path]:
    """The files a peer is built from, in a fixed order: sources, manifest, lock file. Tests are not among them."""
    folder = HERE / kind.value
    if kind is Kind.GO:
        found = [path for path in folder.glob("*.go") if not path.stem.endswith("_test")]
        found += [folder / "go.mod", folder / "go.sum"]
    else:
        found = [*(HERE / "rust" / "src").glob("*.rs"), folder / "Cargo.toml", folder / "Cargo.lock"]
    return sorted(found)


def program_path(kind: Kind) -> Path:
    """Where the program for the sources as they are now belongs, whether it is there or not."""
    digest = hashlib.sha256(f"{platform.system()} {platform.machine()}".encode())
    for path in sources(kind):
        digest.update(path.relative_to(HERE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return cache_root() / f"{kind.value}-{digest.hexdigest()[:16]}" / PROGRAM


def can_build(kind: Kind) -> bool:
    """Whether the tool this kind is built with is installed."""
    return not kind.tool or shutil.which(kind.tool) is not None


def ensure(kind: Kind) -> Path:
    """The program of `kind`, built if it is not in the cache; raises `BuildError`."""
    target = program_path(kind)
    if not target.exists():
        if not can_build(kind):
            raise BuildError(f"{kind.value}: {kind.tool} is not installed")
        target.parent.mkdir(parents=True, exist_ok=True)
        # Built beside its place and renamed: whoever looks at the same time sees all of it or nothing.
        with tempfile.TemporaryDirectory(prefix="build-", dir=cache_root()) as scratch:
            _compile(kind, Path(scratch)).rename(target)
        _forget_older(kind, target.parent)
    return target


def _compile(kind: Kind, scratch: Path) -> Path:
    """Build `kind` with all that the build leaves behind in `scratch`; returns the program there."""
    folder = HERE / kind.value
    if kind is Kind.GO:
        program = scratch / PROGRAM
        _run(kind, ["go", "build", "-mod=readonly", "-trimpath", "-o", str(program), "."], folder, {})
        return program
    _run(kind, ["cargo", "build", "--release", "--locked", "--quiet"], folder, {"CARGO_TARGET_DIR": str(scratch)})
    return scratch / "release" / f"chiral-peer-{kind.value.replace('.', '-')}"


def _run(kind: Kind, command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"{kind.value}: {' '.join(command)} failed\n{done.stdout[-_LOG_TAIL_CHARS:]}")


def _forget_older(kind: Kind, kept: Path) -> None:
    """Drop programs built from earlier sources of the same kind."""
    for folder in cache_root().glob(f"{kind.value}-*"):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Build what can be built, a line for each; exit code 1 if a build failed."""
    failed = False
    for kind in BUILT:
        target = program_path(kind)
        if target.exists():
            print(f"{kind.value:<12} ready: {target}")
            continue
        if not can_build(kind):
            print(f"{kind.value:<12} skipped: {kind.tool} is not installed")
            continue
        started = time.monotonic()
        try:
            ensure(kind)
        except BuildError as error:
            failed = True
            print(f"{kind.value:<12} failed: {error}")
        else:
            print(f"{kind.value:<12} built in {time.monotonic() - started:.0f} s: {target}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
