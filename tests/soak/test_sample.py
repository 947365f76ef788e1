"""What is read of a process and of its directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interop.soak.sample import stored_mib, threads_in, usage_of

MIB_BYTES = 1 << 20


def test_threads_of_a_status() -> None:
    assert threads_in("Name:\tchiral\nVmRSS:\t  1024 kB\nThreads:\t7\nSigQ:\t1/2\n") == 7


def test_holes_of_a_sparse_file_are_not_stored(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    with (tmp_path / "store" / "data.mdb").open("wb") as file:
        file.write(os.urandom(2 * MIB_BYTES))
        file.truncate(1 << 32)
        file.flush()
        os.fsync(file.fileno())
    assert 2.0 <= stored_mib(tmp_path) < 4.0


def test_this_process(tmp_path: Path) -> None:
    before = usage_of(os.getpid(), tmp_path)
    with (tmp_path / "open").open("wb"):
        after = usage_of(os.getpid(), tmp_path)
    assert after.descriptors == before.descriptors + 1
    assert after.rss >= after.own > 0
    assert after.threads >= 1


def test_a_process_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such"):
        usage_of(1 << 30, tmp_path)
