"""Adding directories: Kubo's CIDs, what is taken and what is left out, and what a failure leaves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.chunker.fixed import FixedChunker
from chiral.dag.dag_node import Want
from chiral.dag.tree_reader import TreeEntry, read_tree
from chiral.errors import FileAccessError, ForbiddenError, StoreFullError, UsageError
from chiral.files.add import Adder
from chiral.files.add_options import AddOptions, TreeOptions
from chiral.files.results import TreeAdded
from chiral.files.source import open_path
from tests.dag.blocks import pattern
from tests.fakes.memory_store import MemoryBlockstore
from tests.files.rig import Rig
from tests.files.trees import Dag, Tree, write

KUBO = json.loads((Path(__file__).parents[1] / "vectors" / "kubo-unixfs.json").read_text())
KUBO_TREE: Tree = {
    "a.txt": b"hello\n",
    "b.bin": pattern(262_145),
    "sub": {"c.txt": b"chiral\n", "empty": b"", "emptydir": {}},
}
VARIANTS = {
    "default": AddOptions.named(profile="unixfs-v0-2015"),
    "cidv1": AddOptions.named(),
    "cidv1_noraw": AddOptions.named(raw_leaves=False),
}
PLAIN = TreeOptions()


def rig_as_the_node(store: MemoryBlockstore | None = None) -> Rig:
    """One that cuts files as the node does."""
    rig = Rig(store=store)
    chunker = FixedChunker()
    rig.adder._chunker = chunker
    return rig


async def paths_in(rig: Rig, root: CID) -> list[str]:
    """What is in a directory held by `rig`; a link's end is marked."""
    async with rig.dags.open(root, (), timeout_s=1.0) as opened:
        found = []
        walk = read_tree(opened.node)
        said = next(walk, None)
        while said is not None:
            if isinstance(said, Want):
                try:
                    said = walk.send(await opened.blocks.block(said))
                except StopIteration:
                    break
                continue
            if isinstance(said, TreeEntry) and said.path:
                kind = "/" if said.node.is_directory else "" if said.node.is_file else "@"
                found.append("/".join(said.path) + kind)
            said = next(walk, None)
        return sorted(found)


async def add(rig: Rig, folder: Path, options: TreeOptions = PLAIN) -> TreeAdded:
    return await rig.files.add_tree(folder, options=options)


@pytest.mark.parametrize("variant", VARIANTS)
async def test_kubos_cids(tmp_path: Path, variant: str) -> None:
    cids = KUBO["tree"]["cids"][variant]
    folder = write(tmp_path / "tree", KUBO_TREE)
    rig = rig_as_the_node()
    assert str((await add(rig, folder, TreeOptions(VARIANTS[variant]))).root) == cids["tree"]
    assert str((await add(rig, folder, TreeOptions(VARIANTS[variant], wrap=True))).root) == cids["wrap -w"]
    assert str((await add(rig, folder / "sub", TreeOptions(VARIANTS[variant]))).root) == cids["tree/sub"]
    only = TreeOptions(AddOptions.named(only_hash=True))
    nothing = rig_as_the_node()
    if variant == "cidv1":
        assert str((await add(nothing, folder, only)).root) == cids["tree"]
        assert (await nothing.blocks.stats()).blocks == await nothing.catalogue.count() == 0
        assert nothing.announcer.told == []


async def test_what_is_told_and_catalogued(tmp_path: Path) -> None:
    rig = rig_as_the_node()
    folder = write(tmp_path / "tree", KUBO_TREE)
    progress: list[tuple[int, int | None]] = []
    added = await rig.files.add_tree(folder, options=PLAIN, progress=lambda *step: progress.append(step))
    assert (added.name, added.files, added.directories, added.links, added.failed) == ("tree", 4, 3, 0, 0)
    assert (added.size, added.chunks, added.new_blocks) == (262_145 + 13, 4, 4)
    assert progress[-1] == (added.size, added.size)
    record = await rig.files.record(added.root)
    assert record is not None
    assert (record.kind, record.root, record.dag_root, record.chiral_root) == (
        "directory",
        added.root,
        added.root,
        None,
    )
    assert (record.name, record.size, record.chunks) == ("tree", added.size, 4)
    assert await rig.catalogue.manifest(added.root) is None
    assert await rig.catalogue.count() == 5
    assert rig.announcer.told[-1] == ("added", added.root)


async def test_every_file_of_it_is_one_by_itself(tmp_path: Path) -> None:
    rig, alone = rig_as_the_node(), rig_as_the_node()
    folder = write(tmp_path / "tree", KUBO_TREE)
    await add(rig, folder)
    for path in ("a.txt", "b.bin", "sub/c.txt", "sub/empty"):
        one = await alone.files.add_path(folder / path)
        record = await rig.files.record(one.root)
        assert record is not None
        assert (record.name, record.size, record.dag_root) == (Path(path).name, one.size, one.dag_root)
        assert ("fetched", one.root) in rig.announcer.told


async def test_hidden_entries(tmp_path: Path) -> None:
    folder = write(tmp_path / "t", {".h": b"1", ".d": {"x": b"2"}, "v": b"3", "d": {".y": b"4"}})
    rig = Rig()
    assert await paths_in(rig, (await add(rig, folder)).root) == ["d/", "v"]
    added = await add(rig, folder, TreeOptions(hidden=True))
    assert await paths_in(rig, added.root) == [".d/", ".d/x", ".h", "d/", "d/.y", "v"]


async def test_a_hidden_directory_that_is_named_is_added(tmp_path: Path) -> None:
    folder = write(tmp_path / ".hidden", {"v": b"3"})
    rig = Rig()
    assert await paths_in(rig, (await add(rig, folder)).root) == ["v"]


async def test_ignored_entries(tmp_path: Path) -> None:
    tree: Tree = {
        "a.o": b"", "a.c": b"c", "out": {"x": b""}, "d": {"b.o": b"", "keep.o": b"k", ".chiralignore": b"!keep.o\n"},
        ".chiralignore": b"*.o\n/out/\n", ".gitignore": b"*\n",
    }  # fmt: skip
    folder = write(tmp_path / "t", tree)
    rig = Rig()
    assert await paths_in(rig, (await add(rig, folder)).root) == ["a.c", "d/", "d/keep.o"]
    added = await add(rig, folder, TreeOptions(ignore=("!*.o", "*.c", "d/b.*")))
    assert await paths_in(rig, added.root) == ["a.o", "d/", "d/keep.o"]


async def test_links_are_kept_or_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", {"in": b"in"})
    folder = write(tmp_path / "t", {"f": b"f", "l": "f", "dangling": "none", "out": "../elsewhere"})
    rig = Rig()
    added = await add(rig, folder)
    assert await paths_in(rig, added.root) == ["dangling@", "f", "l@", "out@"]
    assert (added.links, added.failed) == (3, 0)
    followed = await add(rig, folder, TreeOptions(dereference=True))
    assert await paths_in(rig, followed.root) == ["f", "l", "out/", "out/in"]
    assert [fault.path for fault in followed.faults] == [str(folder / "dangling")]


async def test_a_link_that_leads_back_into_the_directory(tmp_path: Path) -> None:
    folder = write(tmp_path / "t", {"f": b"f", "d": {"up": ".."}})
    rig = Rig()
    added = await add(rig, folder, TreeOptions(dereference=True))
    assert added.failed == 1
    assert "leads back into itself" in added.faults[0].error.message
    assert await paths_in(rig, added.root) == ["d/", "f"]


async def test_what_cannot_be_read_is_named_and_the_rest_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a refusing function: a superuser may read anything."""
    folder = write(tmp_path / "t", {"small": b"s", "large": bytes(300_000), "good": b"g", "shut": {"x": b"x"}})
    os.mkfifo(folder / "fifo")
    bad = os.fsdecode(b"\xff\xfe")
    (folder / bad).write_bytes(b"no text")
    scandir, open_file = os.scandir, os.open

    def refusing_scandir(path: str) -> object:
        if path.endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    def refusing_open(path: Path, flags: int, *rest: int) -> int:
        if Path(path).name in ("small", "large"):
            raise PermissionError(13, "Permission denied")
        return open_file(path, flags, *rest)

    monkeypatch.setattr("chiral.files.local_tree.os.scandir", refusing_scandir)
    monkeypatch.setattr("chiral.files.source.os.open", refusing_open)
    rig = Rig()
    added = await add(rig, folder)
    assert added.failed == 5
    assert {os.path.basename(fault.path) for fault in added.faults} == {"small", "large", "shut", "fifo", bad}
    assert all(isinstance(fault.error, FileAccessError | UsageError) for fault in added.faults)
    assert added.files == 1
    assert await paths_in(rig, added.root) == ["good"]


async def test_a_directory_that_cannot_be_read_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileAccessError, match="cannot read"):
        await add(Rig(), tmp_path / "none")

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("chiral.files.local_tree.os.scandir", refuse)
    with pytest.raises(FileAccessError, match="permission denied"):
        await add(Rig(), tmp_path)


async def test_what_is_barred(tmp_path: Path) -> None:
    folder = write(tmp_path / "t", {"f": b"f", "home": {"secret": b"s"}, "link": "home"})
    status = (folder / "home").stat()
    secret = (folder / "home" / "secret").stat()
    os.link(folder / "home" / "secret", folder / "alias")
    barred = {(status.st_dev, status.st_ino), (secret.st_dev, secret.st_ino)}
    options = TreeOptions(barred=lambda device, inode: (device, inode) in barred, dereference=True)
    rig = Rig()
    added = await add(rig, folder, options)
    assert await paths_in(rig, added.root) == ["f"]
    assert {os.path.basename(fault.path) for fault in added.faults} == {"home", "link", "alias"}
    assert all(isinstance(fault.error, ForbiddenError) for fault in added.faults)
    with pytest.raises(ForbiddenError):
        await add(rig, folder / "home", options)


async def test_mode_and_time(tmp_path: Path) -> None:
    folder = write(tmp_path / "t", {"f": b"f"})
    os.chmod(folder / "f", 0o604)
    os.utime(folder / "f", ns=(0, 1_600_000_000_000_000_007))
    os.chmod(folder, 0o751)
    rig = Rig()
    added = await add(rig, folder, TreeOptions(AddOptions.named(mode=True, mtime=True)))
    async with rig.dags.open(added.root, (), timeout_s=1.0) as opened:
        assert opened.node.unixfs is not None
        assert opened.node.unixfs.mode == 0o751
    async with rig.opener.open(added.root, path=("f",), timeout_s=1.0) as reader:
        assert reader.metadata.mode == 0o604
        assert reader.metadata.mtime is not None
        assert (reader.metadata.mtime.seconds, reader.metadata.mtime.nanoseconds) == (1_600_000_000, 7)


async def test_a_full_store_leaves_no_directory(tmp_path: Path) -> None:
    class FillingStore(MemoryBlockstore):
        async def put_many(self, blocks: Iterable[Block]) -> int:
            if len(self._blocks) > 20:
                raise StoreFullError("no space left")
            return await super().put_many(blocks)

    folder = write(tmp_path / "t", {f"f{number}": os.urandom(300_000) for number in range(3)})
    rig = Rig(store=FillingStore())
    with pytest.raises(StoreFullError):
        await add(rig, folder)
    assert all(record.kind == "file" for record in await rig.files.page())


async def test_an_add_that_is_cancelled_leaves_no_directory(tmp_path: Path) -> None:
    class SlowStore(MemoryBlockstore):
        async def put_many(self, blocks: Iterable[Block]) -> int:
            await trio.sleep_forever()
            raise AssertionError

    folder = write(tmp_path / "t", {"f": b"f"})
    rig = Rig(store=SlowStore())
    with trio.move_on_after(0.2):
        await add(rig, folder)
    assert await rig.catalogue.count() == 0


async def test_many_small_files_and_directories(tmp_path: Path) -> None:
    tree: Tree = {f"d{outer}": {f"f{inner}": b"%d %d" % (outer, inner) for inner in range(40)} for outer in range(12)}
    folder = write(tmp_path / "t", tree)
    rig = Rig()
    added = await add(rig, folder)
    assert (added.files, added.directories) == (480, 13)
    profile = PLAIN.adding.profile
    assert added.root == Dag(tree, profile).root


async def test_a_file_with_options_keeps_its_chiral_root(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(pattern(614_400))
    case = next(case for case in KUBO["files"] if case["size"] == 614_400)
    flat = next(case["root"] for case in KUBO["chiral_flat"] if case["size"] == 614_400)
    for variant, options in VARIANTS.items():
        added = await rig_as_the_node().files.add_path(path, options=options)
        assert str(added.root) == flat
        assert str(added.dag_root) == case["cids"][variant]
    chunked = await rig_as_the_node().files.add_path(path, options=AddOptions.named(chunker="size-1048576"))
    assert str(chunked.dag_root) == case["cids"]["cidv1_1m"]
    assert str(chunked.root) != flat


async def test_only_hashing_a_file_stores_nothing(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(700_000))
    rig, real = rig_as_the_node(), rig_as_the_node()
    options = AddOptions.named(only_hash=True)
    async with open_path(path) as source:
        hashed = await rig.adder.add(source, name="f", progress=None, options=options)
    stored = await real.files.add_path(path)
    assert (hashed.root, hashed.dag_root) == (stored.root, stored.dag_root)
    [small] = await rig.files.add_small([(write(tmp_path / "t", {"s": b"s"}) / "s", "s")], options=options)
    assert small is not None
    assert (await rig.blocks.stats()).blocks == await rig.catalogue.count() == 0
    assert rig.announcer.told == []
    assert isinstance(rig.adder, Adder)
