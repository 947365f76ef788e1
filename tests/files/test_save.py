"""A file on the disk is whole or not there: at every step that can fail, nothing is left behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from chiral.block.cid import CID
from chiral.errors import FileAccessError, IntegrityError
from chiral.files.reader import FileReader
from chiral.files.save import TargetExistsError, save_file
from chiral.files.supply import HeldBlocks, Piece
from tests.fakes.memory_store import MemoryBlockstore
from tests.files.rig import Content, leftovers

CONTENT = Content(200_000)


async def reader_of(content: Content) -> FileReader:
    store = MemoryBlockstore()
    await store.put_many(content.blocks)
    cids = content.info.chunk_cids
    return FileReader(content.root, "claimed", content.info.size, len(cids), HeldBlocks(cids, store))


async def save(target: Path, *, overwrite: bool = False, otherwise: Callable[[Path], Path] | None = None) -> Path:
    return await save_file(await reader_of(CONTENT), target, overwrite=overwrite, otherwise=otherwise)


@pytest.mark.parametrize("size", [0, 1, 1025, 200_000])
async def test_the_file_is_written_whole(tmp_path: Path, size: int) -> None:
    content = Content(size)
    progress: list[tuple[int, int | None]] = []
    saved = await save_file(
        await reader_of(content), tmp_path / "out", overwrite=False, progress=lambda *step: progress.append(step)
    )
    assert saved == tmp_path / "out"
    assert saved.read_bytes() == content.data
    assert leftovers(tmp_path) == ["out"]
    assert not size or progress[-1] == (size, size)


async def test_its_mode_is_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert (await save(tmp_path / "out")).stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


class TestTarget:
    async def test_what_is_there_is_not_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_bytes(b"mine")
        with pytest.raises(TargetExistsError, match="exists already"):
            await save(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == b"mine"
        assert leftovers(tmp_path) == ["out"]

    async def test_unless_that_is_wanted(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_bytes(b"mine")
        await save(tmp_path / "out", overwrite=True)
        assert (tmp_path / "out").read_bytes() == CONTENT.data
        assert leftovers(tmp_path) == ["out"]

    async def test_a_link_that_leads_nowhere_is_there_too(self, tmp_path: Path) -> None:
        (tmp_path / "out").symlink_to("nowhere")
        with pytest.raises(TargetExistsError):
            await save(tmp_path / "out")

    async def test_a_link_is_replaced_and_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "precious").write_bytes(b"mine")
        (tmp_path / "out").symlink_to("precious")
        await save(tmp_path / "out", overwrite=True)
        assert (tmp_path / "precious").read_bytes() == b"mine"
        assert not (tmp_path / "out").is_symlink()

    async def test_what_appears_meanwhile_is_not_replaced(self, tmp_path: Path) -> None:
        reader = await reader_of(CONTENT)

        def appear(done: int, total: int | None) -> None:
            (tmp_path / "out").write_bytes(b"mine")

        with pytest.raises(TargetExistsError):
            await save_file(reader, tmp_path / "out", overwrite=False, progress=appear)
        assert (tmp_path / "out").read_bytes() == b"mine"
        assert leftovers(tmp_path) == ["out"]

    async def test_where_another_name_will_do_it_takes_that(self, tmp_path: Path) -> None:
        reader = await reader_of(CONTENT)

        def appear(done: int, total: int | None) -> None:
            for name in ("out", "out1"):
                (tmp_path / name).write_bytes(b"mine")

        saved = await save_file(
            reader,
            tmp_path / "out",
            overwrite=False,
            otherwise=lambda path: path.with_name(f"{path.name}1"),
            progress=appear,
        )
        assert saved == tmp_path / "out11"
        assert saved.read_bytes() == CONTENT.data
        assert leftovers(tmp_path) == ["out", "out1", "out11"]

    async def test_a_file_system_without_hard_links(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _refuse(monkeypatch, "pathlib.os.link", errno.EPERM)
        assert (await save(tmp_path / "out")).read_bytes() == CONTENT.data
        assert leftovers(tmp_path) == ["out"]

    async def test_nor_does_it_replace_there_what_appears(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def link(*_: object, **__: object) -> None:
            (tmp_path / "out").write_bytes(b"mine")
            raise PermissionError(errno.EPERM, "not permitted")

        monkeypatch.setattr("pathlib.os.link", link)
        with pytest.raises(TargetExistsError):
            await save(tmp_path / "out")
        assert leftovers(tmp_path) == ["out"]

    async def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(FileAccessError, match="is a directory"):
            await save(tmp_path, overwrite=True)

    async def test_no_such_directory(self, tmp_path: Path) -> None:
        with pytest.raises(FileAccessError, match="no such file or directory"):
            await save(tmp_path / "no" / "out")

    @pytest.mark.parametrize("name", ["n" * 300, "nul\0byte"])
    async def test_a_name_no_file_can_have(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(FileAccessError, match="cannot write"):
            await save(tmp_path / name)
        assert leftovers(tmp_path) == []

    @pytest.mark.parametrize("name", ["n" * 255, "\U0001f600" * 63, "ä" * 127])
    async def test_the_longest_names_there_are(self, tmp_path: Path, name: str) -> None:
        assert (await save(tmp_path / name)).read_bytes() == CONTENT.data


class TestFaults:
    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
    @pytest.mark.parametrize("step", ["open", "write", "close", "link"])
    async def test_nothing_is_left_whatever_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int
    ) -> None:
        if step == "close":
            _fail_after_closing(monkeypatch, code)
        elif step == "link":
            _refuse(monkeypatch, "pathlib.os.link", code)
            _refuse(monkeypatch, "pathlib.os.replace", code)
        else:
            _refuse(monkeypatch, f"chiral.files.save.os.{step}", code)
        descriptors = len(os.listdir("/proc/self/fd"))
        with pytest.raises(FileAccessError, match="cannot write") as raised:
            await save(tmp_path / "out")
        monkeypatch.undo()
        assert leftovers(tmp_path) == []
        assert len(os.listdir("/proc/self/fd")) == descriptors
        assert raised.value.hint == ("" if code == errno.EIO else "free some space")

    async def test_a_disk_that_fills_in_the_middle(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        written = 0
        write = os.write

        def fill(descriptor: int, data: bytes) -> int:
            nonlocal written
            if written >= 50_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            count = write(descriptor, data[:700])
            written += count
            return count

        monkeypatch.setattr("chiral.files.save.os.write", fill)
        with pytest.raises(FileAccessError, match="no space left on device"):
            await save(tmp_path / "out")
        assert leftovers(tmp_path) == []

    async def test_writes_that_take_a_part_are_gone_on_with(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = os.write
        monkeypatch.setattr("chiral.files.save.os.write", lambda descriptor, data: write(descriptor, data[:333]))
        assert (await save(tmp_path / "out")).read_bytes() == CONTENT.data

    async def test_what_reading_raises_leaves_nothing(self, tmp_path: Path) -> None:
        lying = await reader_of(Content(200_000, claimed_size=200_001))
        (tmp_path / "kept").write_bytes(b"mine")
        with pytest.raises(IntegrityError):
            await save_file(lying, tmp_path / "out", overwrite=False)
        with pytest.raises(IntegrityError):
            await save_file(await reader_of(Content(9, claimed_size=1)), tmp_path / "kept", overwrite=True)
        assert leftovers(tmp_path) == ["kept"]
        assert (tmp_path / "kept").read_bytes() == b"mine"

    async def test_cancelled_it_leaves_nothing(self, tmp_path: Path) -> None:
        class Endless:
            providers = 0

            async def batch(self, index: int) -> list[Piece]:
                await trio.sleep(0.001)
                return [bytes(10)]

        reader = FileReader(CID.of(b""), "endless", 1 << 40, 1 << 40, Endless())
        with trio.move_on_after(0.1) as scope:
            await save_file(reader, tmp_path / "out", overwrite=False)
        assert scope.cancelled_caught
        assert leftovers(tmp_path) == []


CHILD = """
import resource, sys
from pathlib import Path
from chiral.errors import FileAccessError
from chiral.files.save import PartFile

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
part = PartFile.create(Path(sys.argv[1]), False)
try:
    for _ in range(10):
        part.write([bytes(30_000)])
except FileAccessError as error:
    print(error)
    part.discard()
"""


def test_a_limit_of_the_system_on_the_size(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert child.stdout.strip().endswith("out: file too large (free some space)"), child.stderr
    assert leftovers(tmp_path) == []


def _refuse(monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(call, refuse)


def _fail_after_closing(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """As a network file system does that finds only then that there is no room."""
    close = os.close

    def closing(descriptor: int) -> None:
        close(descriptor)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("chiral.files.save.os.close", closing)
