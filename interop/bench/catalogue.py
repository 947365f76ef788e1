"""Searches in a catalogue of 100,000 files: by name, type, tag, size and date, alone and together."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio

from chiral.block.cid import CID
from chiral.interface.catalogue import Catalogue, FileRecord
from chiral.store.settings import StoreSettings
from chiral.store.store import open_store
from interop.bench import catalogue_works as works
from interop.bench.rounds import Turn, take_turns
from interop.bench.run import Run
from interop.bench.work import PYTHON, TMPFS, Sample

_BATCH = 1000
_REPEATS = 5
_WORDS = ("report", "invoice", "holiday", "draft", "summer", "winter", "backup", "photo", "letter", "budget", "notes")
_TYPES = {"jpg": "image/jpeg", "png": "image/png", "pdf": "application/pdf", "txt": "text/plain", "mp4": "video/mp4"}


async def measure(run: Run) -> None:
    """Fill a store, then search it, opened anew so that nothing is remembered."""
    folder = run.folder(TMPFS, "catalogue")
    try:
        async with open_store(folder, StoreSettings(durable=False)) as store:
            run.figures.take([Sample(works.ENTERED, PYTHON, works.FILES / await _fill(store.catalogue))])
        async with open_store(folder, StoreSettings(durable=False)) as store:
            turns = [Turn(what, partial(_search, store.catalogue, what)) for what in works.QUERIES]
            await take_turns(run, turns)
    finally:
        await trio.to_thread.run_sync(partial(shutil.rmtree, Path(folder), ignore_errors=True))


async def _fill(catalogue: Catalogue) -> float:
    """The seconds that entering all files took."""
    took = 0.0
    for start in range(0, works.FILES, _BATCH):
        batch = [(_record(number), None) for number in range(start, start + _BATCH)]
        started = time.perf_counter()
        await catalogue.put_many(batch)
        took += time.perf_counter() - started
    return took


async def _search(catalogue: Catalogue, what: str, number: int) -> Sequence[Sample]:
    took = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        await catalogue.search(works.QUERIES[what])
        took.append((time.perf_counter() - started) * 1000)
    return [Sample(works.searched(what), PYTHON, sorted(took)[_REPEATS // 2])]


def _record(number: int) -> FileRecord:
    """A name of some thirty letters, any size, times over a year; every tenth has a tag, one in a thousand another."""
    rng = random.Random(number)
    extension = rng.choice(list(_TYPES))
    tags = ("kept", *(("rare",) if number % 1000 == 0 else ())) if number % 10 == 0 else ()
    added_at = works.EPOCH_S + number * works.YEAR_S // works.FILES
    return FileRecord(
        root=CID.of(b"%d" % number),
        name=f"{rng.choice(_WORDS)} {rng.choice(_WORDS)} {number:05} of {added_at}.{extension}",
        size=rng.randrange(1 << 30),
        chunks=1 + rng.randrange(4096),
        created_at=added_at,
        added_at=added_at,
        dag_root=CID.of(b"dag %d" % number),
        mime=_TYPES[extension],
        tags=tuple(sorted(tags)),
    )
