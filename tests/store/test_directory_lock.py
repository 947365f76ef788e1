from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chiral.errors import FileAccessError, StoreLockedError
from chiral.store.directory_lock import LOCK_FILE, DirectoryLock


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_second_lock_is_refused_naming_directory_and_process(tmp_path: Path) -> None:
    lock = DirectoryLock.acquire(tmp_path)
    with pytest.raises(StoreLockedError) as caught:
        DirectoryLock.acquire(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert f"process {os.getpid()}" in caught.value.message
    assert "--data" in caught.value.hint
    lock.release()
    lock.release()
    DirectoryLock.acquire(tmp_path).release()


def test_it_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from chiral.store.directory_lock import DirectoryLock;"
        "lock = DirectoryLock.acquire(Path(sys.argv[1])); print('held', flush=True); os.kill(os.getpid(), 9)"
    )
    child = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert child.stdout == "held\n"
    assert (tmp_path / LOCK_FILE).exists()
    DirectoryLock.acquire(tmp_path).release()


def test_directories_are_made_for_the_user_alone(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    lock = DirectoryLock.acquire(directory)
    assert mode_of(directory) == 0o700
    assert mode_of(directory / LOCK_FILE) == 0o600
    lock.release()


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(0o755)
    DirectoryLock.acquire(directory).release()
    assert mode_of(directory) == 0o755


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FileAccessError, match=str(directory)):
            DirectoryLock.acquire(directory)


def test_what_the_system_refuses_names_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FileAccessError, match="Permission denied") as caught:
        DirectoryLock.acquire(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert "--data" in caught.value.hint


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(FileAccessError, match="No locks available"):
        DirectoryLock.acquire(tmp_path)
