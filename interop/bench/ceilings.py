"""What this machine can do at best, measured in the same run: hashing, encryption, TCP from trio, LMDB."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import lmdb
import trio
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from chiral.store.settings import StoreSettings
from interop.bench.rounds import Turn, take_turns
from interop.bench.run import Run
from interop.bench.work import CEILING, DISK, MIB_BYTES, MIB_PER_S, TMPFS, Sample, Work
from interop.child import running

BLOCK_BYTES = 1 << 18
_MESSAGE_BYTES = 1 << 16
_HASHED_BYTES = 512 * MIB_BYTES
_SEALED_BYTES = 512 * MIB_BYTES
_SENT_BYTES = 1024 * MIB_BYTES
_STORED_BYTES = 128 * MIB_BYTES
_MAP_BYTES = 1 << 30
_NONCE_BYTES = 12

SHA256 = Work("SHA-256, one core", MIB_PER_S)
AEAD = Work("ChaCha20-Poly1305, 64 KiB messages, one core", MIB_PER_S)
TCP = Work("TCP over loopback, trio, two processes", MIB_PER_S)


def lmdb_write(place: str) -> Work:
    """Values of 256 KiB in durable transactions of the node's own batch size."""
    return Work("LMDB write, 256 KiB values, durable", MIB_PER_S, place=place)


def lmdb_read(place: str) -> Work:
    """The same values read, a transaction each, and copied once."""
    return Work("LMDB read, 256 KiB values", MIB_PER_S, place=place)


async def measure(run: Run) -> None:
    """All ceilings, LMDB in memory and on the disk."""
    turns = [
        Turn("SHA-256", partial(_in_thread, SHA256, _hash)),
        Turn("ChaCha20-Poly1305", partial(_in_thread, AEAD, _seal)),
        Turn("TCP", partial(_tcp, run.folder(TMPFS, "ceilings"))),
        *(Turn(f"LMDB on {place}", partial(_lmdb, run.folder(place, "ceilings"), place)) for place in (TMPFS, DISK)),
    ]
    await take_turns(run, turns)


async def _in_thread(work: Work, rate: Callable[[], float], number: int) -> Sequence[Sample]:
    return [Sample(work, CEILING, await trio.to_thread.run_sync(rate))]


def _hash() -> float:
    data = os.urandom(BLOCK_BYTES)
    started = time.perf_counter()
    for _ in range(_HASHED_BYTES // BLOCK_BYTES):
        hashlib.sha256(data).digest()
    return _rate(_HASHED_BYTES, started)


def _seal() -> float:
    cipher, data, nonce = ChaCha20Poly1305(os.urandom(32)), os.urandom(_MESSAGE_BYTES), bytes(_NONCE_BYTES)
    started = time.perf_counter()
    for _ in range(_SEALED_BYTES // _MESSAGE_BYTES):
        cipher.encrypt(nonce, data, None)
    return _rate(_SEALED_BYTES, started)


async def _tcp(folder: Path, number: int) -> Sequence[Sample]:
    """Sent until the other process has said that it has read the last byte."""
    data = memoryview(bytes(BLOCK_BYTES))
    async with (
        running([sys.executable, "-m", "interop.bench.tcp_sink"], folder / "sink.log") as sink,
        await trio.open_tcp_stream("127.0.0.1", sink.ready["port"]) as stream,
    ):
        started = time.perf_counter()
        for _ in range(_SENT_BYTES // BLOCK_BYTES):
            await stream.send_all(data)
        await stream.send_eof()
        await stream.receive_some(1)
        rate = _rate(_SENT_BYTES, started)
    return [Sample(TCP, CEILING, rate)]


async def _lmdb(folder: Path, place: str, number: int) -> Sequence[Sample]:
    written, read = await trio.to_thread.run_sync(_store_and_read, folder / "lmdb")
    return [Sample(lmdb_write(place), CEILING, written), Sample(lmdb_read(place), CEILING, read)]


def _store_and_read(folder: Path) -> tuple[float, float]:
    """Rates of writing and of reading, with keys in no order, as hashes are."""
    values = [os.urandom(BLOCK_BYTES) for _ in range(16)]
    keys = [hashlib.sha256(b"%d" % number).digest() for number in range(_STORED_BYTES // BLOCK_BYTES)]
    batch = StoreSettings().batch_bytes // BLOCK_BYTES
    try:
        with lmdb.open(str(folder), map_size=_MAP_BYTES) as environment:
            started = time.perf_counter()
            for first in range(0, len(keys), batch):
                with environment.begin(write=True) as txn:
                    for number in range(first, min(first + batch, len(keys))):
                        txn.put(keys[number], values[number % len(values)])
            written = _rate(_STORED_BYTES, started)
            started = time.perf_counter()
            for key in keys:
                with environment.begin() as txn:
                    txn.get(key)
            return written, _rate(_STORED_BYTES, started)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rate(size: int, started: float) -> float:
    return size / MIB_BYTES / (time.perf_counter() - started)
