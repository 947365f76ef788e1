"""What is measured: the names of the works and of who does them, in one place, so that goals and tables agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

KIB_BYTES = 1 << 10
MIB_BYTES = 1 << 20
GIB_BYTES = 1 << 30

PYTHON = "Python"
GO = "Go"
RUST = "Rust"
RUST_054 = "Rust 0.54"
SHA256_ALONE = "SHA-256 of the same bytes, one core"
CEILING = "ceiling"

TMPFS = "tmpfs"
DISK = "disk"
MIB_PER_S = "MiB/s"


class Better(StrEnum):
    """Which way a figure improves."""

    MORE = "more"
    LESS = "less"


class Data(StrEnum):
    """What a file is filled with; the value goes into the work's name."""

    RANDOM = "random"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Work:
    """One thing that is measured. `place` is where its data lies, empty where it touches no files.

    `compared` is whether a ratio to another peer says anything.
    """

    name: str
    unit: str
    better: Better = Better.MORE
    place: str = ""
    compared: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured value, by whom."""

    work: Work
    who: str
    value: float


def pair(fetcher: str, provider: str) -> str:
    """What a table calls the two peers of a transfer."""
    return f"{fetcher} from {provider}"


def size_text(size: int) -> str:
    """A size in the largest unit that divides it."""
    for unit, name in ((GIB_BYTES, "GiB"), (MIB_BYTES, "MiB"), (KIB_BYTES, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def get(size: int, data: Data = Data.RANDOM, place: str = TMPFS) -> Work:
    """A whole file found through the DHT, verified, stored and written out."""
    return Work(f"get {_file(size, data)}", MIB_PER_S, place=place)


def add(size: int, data: Data = Data.RANDOM, place: str = TMPFS) -> Work:
    """A file read, cut, hashed and stored by a running node."""
    return Work(f"add {_file(size, data)}", MIB_PER_S, place=place)


def add_small(count: int) -> Work:
    """Many files of 1 to 4 KiB added by one command."""
    return Work(f"add {count:,} files of 1-4 KiB", "files/s", place=TMPFS)


def blocks(in_flight: int) -> Work:
    """The block protocol alone: chunks asked for and kept nowhere."""
    return Work(f"blocks, {in_flight} in flight", MIB_PER_S)


def get_cpu(size: int, place: str = TMPFS) -> Work:
    """CPU seconds, user and system, of both sides of a get."""
    return Work(f"CPU of get {size_text(size)}, both sides", "s/GiB", Better.LESS, place)


def memory(what: str) -> Work:
    """Peak of memory of the process's own (RssAnon) over what it had when idle."""
    return Work(f"peak memory over idle, {what}", "MiB", Better.LESS, TMPFS)


def mapped(what: str) -> Work:
    """Peak of pages of mapped files (RssFile and RssShmem) over idle: the store's pages in the page cache."""
    return Work(f"peak of mapped file pages over idle, {what}", "MiB", Better.LESS, TMPFS, compared=False)


def delayed(work: Work, delay_ms: float) -> Work:
    """The same with every byte late by `delay_ms`, each way."""
    return replace(work, name=f"{work.name}, {delay_ms:g} ms each way")


LATENCY = Work("1-byte request, one after another", "ms", Better.LESS)
START = Work("start to ready", "s", Better.LESS, TMPFS)
IDLE_MEMORY = Work("idle memory (VmRSS)", "MiB", Better.LESS, TMPFS)
IDLE_CPU = Work("idle CPU, joined", "% of a core", Better.LESS, TMPFS, compared=False)


def _file(size: int, data: Data) -> str:
    return size_text(size) if data is Data.RANDOM else f"{size_text(size)} of {data}"
