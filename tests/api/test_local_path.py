"""Which local paths may be read and written, and names that take nobody's place."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from chiral.api import local_path
from chiral.api.local_path import (
    file_to_read,
    file_to_write,
    folder_to_write,
    identities_in,
    path_to_read,
    place_new,
    place_under_free_name,
    temporary_beside,
)
from chiral.errors import FileAccessError, ForbiddenError, UsageError


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "node").mkdir()
    return tmp_path / "node"


def temporary(folder: Path, data: bytes = b"new") -> Path:
    path = temporary_beside(folder / "x")
    path.write_bytes(data)
    return path


def test_a_file_is_read_at_its_real_path(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    assert file_to_read(str(tmp_path / "link"), data_dir) == (tmp_path / "real").resolve()


def test_a_file_beside_the_data_directory_with_a_like_name(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "node2").write_bytes(b"x")
    assert file_to_read(str(tmp_path / "node2"), data_dir).name == "node2"


def test_a_data_directory_behind_a_link(tmp_path: Path, data_dir: Path) -> None:
    (data_dir / "secret").write_bytes(b"x")
    (tmp_path / "alias").symlink_to(data_dir)
    with pytest.raises(ForbiddenError):
        file_to_read(str(data_dir / "secret"), tmp_path / "alias")


def test_a_target_in_a_real_directory(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "alias").symlink_to(tmp_path)
    assert file_to_write(f"{tmp_path}/alias/new", data_dir, overwrite=False) == tmp_path.resolve() / "new"


def test_targets_that_are_refused(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name, overwrite in (("file", False), ("dangling", False), ("sub/..", True), ("pipe", True), ("file/x", True)):
        with pytest.raises(FileAccessError):
            file_to_write(f"{tmp_path}/{name}", data_dir, overwrite=overwrite)
    with pytest.raises(ForbiddenError):
        file_to_write(f"{data_dir}/..", data_dir, overwrite=True)
    with pytest.raises(UsageError):
        file_to_write("relative", data_dir, overwrite=True)
    assert file_to_write(f"{tmp_path}/file", data_dir, overwrite=True).name == "file"


def test_directories_that_cannot_be_written(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(FileAccessError, match="is not a directory"):
        folder_to_write(str(tmp_path / "file"), data_dir)
    with pytest.raises(FileAccessError, match="create the directory"):
        folder_to_write(str(tmp_path / "none"), data_dir)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(FileAccessError, match="permission denied"):
        folder_to_write(str(tmp_path), data_dir)


def test_free_names_are_numbered_before_the_extension(tmp_path: Path) -> None:
    names = [place_under_free_name(temporary(tmp_path), tmp_path, "a.tar").name for _ in range(3)]
    assert names == ["a.tar", "a (1).tar", "a (2).tar"]
    assert place_under_free_name(temporary(tmp_path), tmp_path, "plain").name == "plain"
    assert place_under_free_name(temporary(tmp_path), tmp_path, "plain").name == "plain (1)"
    assert not list(tmp_path.glob(".*"))


def test_a_dangling_link_is_a_taken_name(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    assert place_under_free_name(temporary(tmp_path), tmp_path, "a").name == "a (1)"
    assert not (tmp_path / "nowhere").exists()


def test_there_is_an_end_to_numbering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_path, "_MAX_TRIES", 2)
    for name in ("a", "a (1)"):
        (tmp_path / name).touch()
    with pytest.raises(FileAccessError, match="are taken"):
        place_under_free_name(temporary(tmp_path), tmp_path, "a")


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    place_new(temporary(tmp_path), tmp_path / "a")
    with pytest.raises(FileAccessError, match="exists already"):
        place_new(temporary(tmp_path, b"other"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert place_under_free_name(temporary(tmp_path), tmp_path, "a").read_bytes() == b"new"
    assert place_under_free_name(temporary(tmp_path, b"other"), tmp_path, "a").name == "a (1)"
    assert (tmp_path / "a").read_bytes() == b"new"


def test_another_fault_of_naming_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match="cannot write"):
        place_new(temporary(tmp_path), tmp_path / "none" / "a")


def test_everything_of_a_directory_by_device_and_inode(tmp_path: Path) -> None:
    (tmp_path / "home" / "sub").mkdir(parents=True)
    (tmp_path / "home" / "sub" / "secret").touch()
    (tmp_path / "other").touch()
    found = identities_in(tmp_path / "home")
    for name, inside in (("home", True), ("home/sub", True), ("home/sub/secret", True), ("other", False), ("", False)):
        status = (tmp_path / name).stat()
        assert ((status.st_dev, status.st_ino) in found) is inside


def test_a_path_that_is_there_keeps_its_own_name(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("d")
    (tmp_path / "in").symlink_to(home)
    assert path_to_read(str(tmp_path / "link"), home) == tmp_path / "link"
    for path in (home, tmp_path / "in"):
        with pytest.raises(ForbiddenError):
            path_to_read(str(path), home)
    with pytest.raises(FileAccessError):
        path_to_read(str(tmp_path / "none"), home)
    with pytest.raises(UsageError):
        path_to_read("d", home)
