"""What is measured of collections: names and units."""

from __future__ import annotations

from interop.bench.work import TMPFS, Better, Work

BLOCKS = 1_000_000
DEAD = 100_000
BLOCK_BYTES = 100

COLLECTED = Work(f"collect {DEAD:,} dead blocks of {BLOCKS:,}", "s", Better.LESS, TMPFS)
DRY = Work(f"the same as a dry run, {BLOCKS:,} blocks", "s", Better.LESS, TMPFS)
READ_P99 = Work("block read meanwhile, p99", "ms", Better.LESS, TMPFS)
WRITTEN_P99 = Work("block written meanwhile, p99", "ms", Better.LESS, TMPFS)
MARKS = Work("memory of the marks of 1,000,000 blocks", "MiB", Better.LESS, compared=False)
