"""Where `get` puts a file whose bytes come through the client: a temporary name beside the target, then the name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from chiral.api.local_path import may_take_place_of, place_new, place_under_free_name, temporary_beside
from chiral.cli.client import Download, Progress
from chiral.errors import FileAccessError


@dataclass(frozen=True, slots=True)
class Place:
    """What was asked for: a `folder`, and in it this `name`, or the file's own made safe (None)."""

    folder: Path
    name: str | None
    overwrite: bool = False

    @classmethod
    def of(cls, out: str | None, *, overwrite: bool) -> Place:
        """The place that `-o OUT` means: a directory that is there, a file, or nothing for the working directory.

        Raises `FileAccessError` for a file that is there already, unless `overwrite`.
        """
        if out is None or os.path.isdir(out):
            return cls(Path(os.path.abspath(out or ".")), None)
        target = Path(os.path.abspath(out))
        if out.endswith("/"):
            raise FileAccessError(f"there is no directory {target}", hint="create it first")
        may_take_place_of(target, overwrite=overwrite)
        return cls(target.parent, target.name, overwrite)


def land(download: Download, place: Place, progress: Progress) -> Path:
    """Write the download to its place and return that; a failure leaves nothing behind. Raises `FileAccessError`."""
    from chiral.dag.file_name import sanitise_name

    temporary = temporary_beside(place.folder / (place.name or "chiral"))
    try:
        with _created(temporary) as file:
            done = 0
            for part in download.parts:
                _write(file, part, temporary)
                done += len(part)
                progress(done, download.size)
        if place.name is None:
            return place_under_free_name(temporary, place.folder, sanitise_name(download.name))
        path = place.folder / place.name
        _put(temporary, path, overwrite=place.overwrite)
        return path
    finally:
        temporary.unlink(missing_ok=True)


def _put(temporary: Path, target: Path, *, overwrite: bool) -> None:
    if not overwrite:
        place_new(temporary, target)
        return
    try:
        os.replace(temporary, target)
    except OSError as error:
        raise FileAccessError(f"cannot write {target}: {error.strerror}") from error


@contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        hint = "choose another place with -o"
        raise FileAccessError(
            f"cannot write into {path.parent}: {(error.strerror or '').lower()}", hint=hint
        ) from error
    with open(descriptor, "wb", buffering=0) as file:
        yield file


def _write(file: BinaryIO, part: bytes, path: Path) -> None:
    view = memoryview(part)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        raise FileAccessError(f"cannot write into {path.parent}: {(error.strerror or '').lower()}") from error
