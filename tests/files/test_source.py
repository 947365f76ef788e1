"""What is added is read whole, in order, or refused with a reason."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from pathlib import Path

import pytest
import trio

from chiral.chunker.fixed import FixedChunker
from chiral.dag.dag_profile import DEFAULT_PROFILE
from chiral.errors import FileAccessError
from chiral.files.cutting import BATCH_BYTES, Cutting
from chiral.files.source import Source, StreamSource, open_path

CHUNK_BYTES = 1024


async def content_of(source: Source) -> bytes:
    """All of the source, checking that every name fits."""
    whole = bytearray()
    cutting = cut(CHUNK_BYTES)
    async with aclosing(source.batches(cutting)) as batches:
        async for batch in batches:
            for block in batch.chunks:
                assert block.cid.matches(block.data)
                whole += block.data
    assert cutting.root.size == len(whole)
    return bytes(whole)


def cut(chunk_bytes: int) -> Cutting:
    return Cutting(FixedChunker(chunk_bytes), DEFAULT_PROFILE)


async def parts(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        await trio.lowlevel.checkpoint()
        yield piece


class TestPath:
    @pytest.mark.parametrize("size", [0, 1, 1024, 1025, 256 * 1024, 256 * 1024 + 1, 5_000_000])
    async def test_any_size(self, tmp_path: Path, size: int) -> None:
        path = tmp_path / "f"
        path.write_bytes(os.urandom(size))
        async with open_path(path) as source:
            assert source.size == size
            assert await content_of(source) == path.read_bytes()

    async def test_a_link_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"content")
        (tmp_path / "link").symlink_to("f")
        async with open_path(tmp_path / "link") as source:
            assert await content_of(source) == b"content"

    async def test_a_file_that_grows_is_read_to_its_end(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(bytes(10))
        async with open_path(path) as source:
            with path.open("ab") as more:
                more.write(bytes(10))
            assert len(await content_of(source)) == 20

    async def test_a_file_that_shrinks_is_an_error(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(bytes(8_000_000))
        async with open_path(path) as source, aclosing(source.batches(cut(256 << 10))) as batches:
            await anext(batches)
            os.truncate(path, 5_000_000)
            with pytest.raises(FileAccessError, match="got shorter while it was read"):
                [batch async for batch in batches]

    async def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileAccessError, match="no such file"):
            async with open_path(tmp_path / "missing"):
                pytest.fail("opened")

    async def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(FileAccessError, match="is a directory"):
            async with open_path(tmp_path):
                pytest.fail("opened")

    async def test_a_fifo_is_refused_without_waiting_for_a_writer(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        with trio.fail_after(5), pytest.raises(FileAccessError, match="not a regular file"):
            async with open_path(tmp_path / "fifo"):
                pytest.fail("opened")

    async def test_no_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By a refusing system call: a superuser may open anything."""
        path = tmp_path / "secret"
        path.write_bytes(b"s")
        _refuse(monkeypatch, "open", errno.EACCES)
        with pytest.raises(FileAccessError, match=r"cannot read .*secret: permission denied"):
            async with open_path(path):
                pytest.fail("opened")

    async def test_a_disk_that_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "f"
        path.write_bytes(b"s")
        async with open_path(path) as source:
            _refuse(monkeypatch, "read", errno.EIO)
            with pytest.raises(FileAccessError, match=r"cannot read .*f: input/output error"):
                await content_of(source)

    @pytest.mark.parametrize("name", ["nul\0byte", "n" * 300])
    async def test_a_name_no_file_can_have(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(FileAccessError, match="cannot read"):
            async with open_path(tmp_path / name):
                pytest.fail("opened")

    async def test_the_descriptor_is_closed_whatever_happens(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(bytes(10))
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                async with open_path(path):
                    raise ZeroDivisionError
            with pytest.raises(FileAccessError):
                async with open_path(tmp_path):
                    pytest.fail("opened")
        assert len(os.listdir("/proc/self/fd")) == before


class TestStream:
    @pytest.mark.parametrize("piece", [1, 1000, 1024, 100_000])
    async def test_however_the_bytes_come(self, piece: int) -> None:
        data = os.urandom(100_000 if piece > 1 else 5000)
        source = StreamSource(parts(data[at : at + piece] for at in range(0, len(data), piece)))
        assert await content_of(source) == data
        assert source.size is None

    async def test_a_long_stream_comes_in_batches(self) -> None:
        source = StreamSource(parts(bytes(CHUNK_BYTES * 100) for _ in range(100)))
        async with aclosing(source.batches(cut(CHUNK_BYTES))) as batches:
            sizes = [sum(map(len, batch.chunks)) async for batch in batches]
        assert max(sizes) < BATCH_BYTES + CHUNK_BYTES * 100
        assert sum(sizes) == CHUNK_BYTES * 10_000

    async def test_nothing(self) -> None:
        assert await content_of(StreamSource(parts([]))) == b""
        assert await content_of(StreamSource(parts([b"", b""]))) == b""

    async def test_what_the_sender_raises_comes_out(self) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield bytes(10)
            await trio.lowlevel.checkpoint()
            raise ConnectionError

        with pytest.raises(ConnectionError):
            await content_of(StreamSource(broken()))


def _refuse(monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(f"chiral.files.source.os.{call}", refuse)
