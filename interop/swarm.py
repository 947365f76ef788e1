"""One cell row of the matrix: a provider and a fetcher that know only a bootstrap node, and files of several sizes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import trio

from interop.child import PeerError
from interop.kinds import Kind
from interop.peers import Peer, open_peer

GET_S = 60.0


class Help(StrEnum):
    """What a fetch needed before it went through; the value is its mark in the table."""

    NONE = ""
    ANNOUNCED_AGAIN = "a"
    CONNECTED = "c"


@dataclass(frozen=True, slots=True)
class Swarm:
    """Who provides, who fetches, and through whom alone the two have joined."""

    provider: Kind
    fetcher: Kind
    bootstrap: Kind

    def __str__(self) -> str:
        return f"{self.provider} to {self.fetcher} through {self.bootstrap}"


@dataclass(frozen=True, slots=True)
class Cell:
    """How one file went: seconds as the fetcher measured, the help it needed and after what error, or why it failed."""

    size: int
    seconds: float = 0.0
    help: Help = Help.NONE
    helped_after: str = ""
    error: str = ""


def write_file(path: Path, size: int, seed: str) -> str:
    """Write `size` pseudo-random bytes; returns their SHA-256 in hexadecimal."""
    data = random.Random(seed).randbytes(size)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def run_swarm(swarm: Swarm, sizes: Sequence[int], folder: Path) -> list[Cell]:
    """Start the three processes, move a file of each size, end them. A process that fails fails the cells left."""
    cells: list[Cell] = []
    try:
        async with open_peer(swarm.bootstrap, folder / "bootstrap") as bootstrap:
            joined = bootstrap.addrs[:1]
            async with (
                open_peer(swarm.provider, folder / "provider", bootstrap=joined) as provider,
                open_peer(swarm.fetcher, folder / "fetcher", bootstrap=joined) as fetcher,
            ):
                for size in sizes:
                    cells.append(await _move(swarm, provider, fetcher, size, folder))
    except* PeerError as group:
        cells += [Cell(size, error=_first(group)) for size in sizes[len(cells) :]]
    return cells


def _first(group: BaseExceptionGroup[PeerError]) -> str:
    """What the first error of a group says; the nurseries of the peers wrap what passes through them."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


async def _move(swarm: Swarm, provider: Peer, fetcher: Peer, size: int, folder: Path) -> Cell:
    source, copy = folder / f"source-{size}", folder / f"copy-{size}"
    sha256 = await trio.to_thread.run_sync(write_file, source, size, f"{swarm} {size}")
    try:
        cell = await _get(swarm, provider, fetcher, await provider.add(source), copy, size)
        if not cell.error and await trio.to_thread.run_sync(sha256_of, copy) != sha256:
            return Cell(size, error="the copy differs from the source")
        return cell
    except PeerError as error:
        return Cell(size, error=str(error))
    finally:
        source.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)


async def _get(swarm: Swarm, provider: Peer, fetcher: Peer, cid: str, copy: Path, size: int) -> Cell:
    """Fetch, with the help that a provider of known weakness may need, and nobody else gets."""
    error = ""
    for needed in _helps(swarm):
        try:
            if needed is Help.ANNOUNCED_AGAIN:
                await provider.provide(cid)
            elif needed is Help.CONNECTED:
                await fetcher.connect(provider.addrs[0])
            fetched = await fetcher.get(cid, copy, GET_S)
        except PeerError as failure:
            error = str(failure)
        else:
            return Cell(size, fetched.seconds, needed, helped_after=error)
    return Cell(size, error=error)


def _helps(swarm: Swarm) -> list[Help]:
    """What may be tried, in order.

    Rust 0.54 closes an idle connection with its last announcement still in it. Neither Rust peer puts addresses into
    its announcements on loopback, and a Go bootstrap node drops those: then only a connection to the provider finds it.
    """
    helps = [Help.NONE]
    if swarm.provider is Kind.RUST_054:
        helps += [Help.ANNOUNCED_AGAIN, Help.CONNECTED]
    elif swarm.provider is Kind.RUST_NEWEST and swarm.bootstrap is Kind.GO:
        helps.append(Help.CONNECTED)
    return helps
