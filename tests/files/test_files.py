"""The use cases as the API calls them: names, landing places, listings, removal, and who is told."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from chiral.block.cid import CID
from chiral.errors import FileAccessError, NoProvidersError, NotFoundError, UsageError
from chiral.files.files import free_name
from tests.fakes.exchange import stalling
from tests.files.rig import Content, Rig, leftovers

TIMEOUT_S = 10.0


async def stream(data: bytes) -> AsyncIterator[bytes]:
    await trio.lowlevel.checkpoint()
    yield data


class TestAdd:
    async def test_a_path_takes_its_own_name_or_one_given(self, tmp_path: Path) -> None:
        rig = Rig()
        (tmp_path / "holiday.jpg").write_bytes(b"picture")
        assert (await rig.files.add_path(tmp_path / "holiday.jpg")).name == "holiday.jpg"
        added = await rig.files.add_path(tmp_path / "holiday.jpg", name="other.jpg")
        assert added.name == "other.jpg"
        assert rig.announcer.told == [("added", added.root)] * 2

    async def test_a_stream(self) -> None:
        rig, content = Rig(), Content(5000)
        added = await rig.files.add_stream(stream(content.data), name="streamed")
        assert (added.root, added.size) == (content.root, 5000)
        record = await rig.files.record(content.root)
        assert record is not None
        assert record.name == "streamed"

    @pytest.mark.parametrize("name", ["\udcff.txt", "\ud800", "a\udc80b"])
    async def test_a_name_that_is_no_text_becomes_one(self, tmp_path: Path, name: str) -> None:
        added = await Rig().files.add_stream(stream(b"x"), name=name)
        assert added.name == "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in name)

    async def test_a_path_that_is_no_text(self, tmp_path: Path) -> None:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
        await trio.Path(path).write_bytes(b"x")
        assert (await Rig().files.add_path(path)).name == "\ufffd\ufffd"

    async def test_a_name_too_long_is_refused_before_anything_is_read(self) -> None:
        rig = Rig()
        with pytest.raises(UsageError, match="1024 bytes"):
            await rig.files.add_stream(stream(b"x"), name="ä" * 513)
        assert (await rig.blocks.stats()).blocks == 0

    async def test_what_fails_is_not_announced(self, tmp_path: Path) -> None:
        rig = Rig()
        with pytest.raises(FileAccessError):
            await rig.files.add_path(tmp_path / "missing")
        assert rig.announcer.told == []


class TestSave:
    async def test_to_a_path(self, tmp_path: Path) -> None:
        content = Content(100_000, name="claimed.txt")
        peer = content.at(1)
        rig = Rig(peer).publish(content, peer)
        saved = await rig.files.save(content.root, tmp_path / "out", overwrite=False, timeout_s=TIMEOUT_S)
        assert (saved.root, saved.name, saved.size, saved.providers) == (content.root, "claimed.txt", 100_000, 1)
        assert saved.path == str(tmp_path / "out")
        assert saved.seconds > 0
        assert (tmp_path / "out").read_bytes() == content.data

    async def test_into_a_directory_under_a_safe_and_free_name(self, tmp_path: Path) -> None:
        content = Content(1000, name="../../etc/passwd")
        rig = await Rig().hold(content)
        for _ in range(3):
            await rig.files.save(content.root, tmp_path, overwrite=False, timeout_s=TIMEOUT_S)
        assert leftovers(tmp_path) == ["passwd", "passwd (1)", "passwd (2)"]

    async def test_into_a_directory_over_what_has_that_name(self, tmp_path: Path) -> None:
        content = Content(1000, name="n")
        (tmp_path / "n").write_bytes(b"old")
        rig = await Rig().hold(content)
        await rig.files.save(content.root, tmp_path, overwrite=True, timeout_s=TIMEOUT_S)
        assert (tmp_path / "n").read_bytes() == content.data

    async def test_several_at_once_into_one_directory(self, tmp_path: Path) -> None:
        content = Content(100_000, name="n.txt")
        rig = await Rig().hold(content)
        paths: list[str] = []

        async def save() -> None:
            saved = await rig.files.save(content.root, tmp_path, overwrite=False, timeout_s=TIMEOUT_S)
            paths.append(Path(saved.path).name)

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(save)
        assert leftovers(tmp_path) == sorted(paths) == sorted(["n.txt", *(f"n ({i}).txt" for i in range(1, 6))])

    async def test_a_place_that_cannot_be_looked_at(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        content = Content(1000)
        rig = await Rig().hold(content)

        def refuse(self: Path) -> bool:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "is_dir", refuse)
        with pytest.raises(FileAccessError, match="permission denied"):
            await rig.files.save(content.root, tmp_path / "out", overwrite=False, timeout_s=TIMEOUT_S)

    async def test_nothing_is_left_where_nobody_has_it(self, tmp_path: Path) -> None:
        with pytest.raises(NoProvidersError):
            await Rig().files.save(CID.of(b"x"), tmp_path / "out", overwrite=False, timeout_s=TIMEOUT_S)
        assert leftovers(tmp_path) == []

    async def test_cancelled_in_the_middle_nothing_is_left(self, tmp_path: Path) -> None:
        content = Content(500_000)
        peer = content.at(1).after(100, stalling)
        rig = Rig(peer).publish(content, peer)
        with trio.move_on_after(0.3) as scope:
            await rig.files.save(content.root, tmp_path / "out", overwrite=False, timeout_s=TIMEOUT_S)
        assert scope.cancelled_caught
        assert leftovers(tmp_path) == []
        assert peer.in_flight == 0


class TestHeld:
    async def test_listing_goes_on_after_a_page(self) -> None:
        rig = Rig()
        contents = [Content(1000, seed=seed) for seed in range(5)]
        for content in contents:
            await rig.hold(content)
        first = await rig.files.page(limit=3)
        rest = await rig.files.page(first[-1].root.multihash, limit=3)
        roots = sorted((content.root for content in contents), key=lambda cid: cid.multihash)
        assert [record.root for record in (*first, *rest)] == roots

    async def test_chunks_in_order_with_their_sizes(self) -> None:
        content = Content(2500)
        rig = await Rig().hold(content)
        assert await rig.files.chunks(content.root) == [(block.cid, len(block)) for block in content.blocks]
        with pytest.raises(NotFoundError):
            await rig.files.chunks(CID.of(b"x"))

    async def test_removal_is_told(self) -> None:
        content = Content(2500)
        rig = await Rig().hold(content)
        assert (await rig.files.remove(content.root)).root == content.root
        assert await rig.files.record(content.root) is None
        assert rig.announcer.told == [("removed", content.root)]
        assert rig.announcer.dropped == [block.cid for block in content.blocks]
        with pytest.raises(NotFoundError):
            await rig.files.remove(content.root)

    async def test_a_file_whose_manifest_rotted_can_be_removed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        content = Content(2500)
        rig = await Rig().hold(content)

        async def rotten(root: CID) -> bytes:
            return b"{"

        monkeypatch.setattr(rig.catalogue, "manifest", rotten)
        await rig.files.remove(content.root)
        assert await rig.files.record(content.root) is None


def test_a_free_name_keeps_the_extension(tmp_path: Path) -> None:
    for name in ("a.tar.gz", "a.tar (1).gz"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("nowhere")
    assert free_name(tmp_path / "a.tar.gz").name == "a.tar (2).gz"
    assert free_name(tmp_path / "link").name == "link (1)"
    assert free_name(tmp_path / "b").name == "b"
