"""Writing directories: byte for byte, whole or not at all, and never outside of the target, whatever it claims."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
import trio

from chiral.dag.dag_pb import PbLink
from chiral.dag.dag_profile import DagProfile
from chiral.dag.directory import DirectoryEntry, Metadata, build_directory
from chiral.dag.unixfs import ModifiedTime, NodeType, UnixFsData, encode_unixfs
from chiral.errors import ChiralError, FileAccessError, ForbiddenError, MalformedContentError
from chiral.files.add_options import AddOptions, TreeOptions
from chiral.files.results import FileSaved
from chiral.files.save import TargetExistsError
from tests.fakes.exchange import ScriptedPeer, lacking
from tests.files.rig import Rig, leftovers
from tests.files.trees import PROFILE, Dag, Tree, read, write

TIMEOUT_S = 5.0
TREE: Tree = {
    "file": os.urandom(50_000),
    "empty": b"",
    "sub": {"deep": {"x": b"x" * 3000, "nothing": {}}, "up": "../file", "here": "deep/x", "dot": "."},
    "naïve – name": b"n",
    "link": "sub",
    "dangling": "no/where",
}


def providing(dag: Dag, *peers: ScriptedPeer) -> Rig:
    rig = Rig(*peers)
    rig.scripted.routing.knows(dag.root, *peers)
    return rig


async def save(rig: Rig, dag: Dag, target: Path, *, path: str = "", unsafe_links: bool = False) -> FileSaved:
    return await rig.files.save(
        dag.root,
        target,
        overwrite=False,
        timeout_s=TIMEOUT_S,
        path=path.split("/") if path else (),
        unsafe_links=unsafe_links,
    )


@pytest.mark.parametrize("profile", [PROFILE, DagProfile(width=5, raw_leaves=False, shard_bytes=0, fanout=8)])
async def test_a_directory_from_elsewhere_is_the_same_and_is_here_afterwards(
    tmp_path: Path, profile: DagProfile
) -> None:
    dag = Dag(TREE, profile)
    peer = dag.at(1)
    rig = providing(dag, peer)
    saved = await save(rig, dag, tmp_path / "out")
    assert read(tmp_path / "out") == dict(sorted(TREE.items()))
    assert (saved.path, saved.files, saved.size, saved.providers) == (str(tmp_path / "out"), 4, 53_001, 1)
    assert leftovers(tmp_path) == ["out"]
    record = await rig.files.record(dag.root)
    assert record is not None
    assert (record.kind, record.size, record.name) == ("directory", 53_001, str(dag.root))
    assert rig.announcer.told == [("fetched", dag.root)]
    peer.conduct = lacking
    again = await save(rig, dag, tmp_path / "again")
    assert read(tmp_path / "again") == read(tmp_path / "out")
    assert again.providers == 0
    assert len(rig.announcer.told) == 1


async def test_what_was_added_comes_back_with_mode_and_time(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"f": b"f", "d": {"g": b"g"}})
    os.chmod(folder / "f", 0o754)
    os.chmod(folder / "d", 0o511)
    for path, second in ((folder / "f", 1_500_000_000), (folder / "d", 1_400_000_000), (folder, 1_300_000_000)):
        os.utime(path, ns=(0, second * 1_000_000_000 + 5))
    rig = Rig()
    added = await rig.files.add_tree(folder, options=TreeOptions(AddOptions.named(mode=True, mtime=True)))
    await rig.files.save(added.root, tmp_path / "out", overwrite=False, timeout_s=1.0)
    for name in ("f", "d", "."):
        before, after = (folder / name).stat(), (tmp_path / "out" / name).stat()
        assert (before.st_mode, before.st_mtime_ns) == (after.st_mode, after.st_mtime_ns)


async def test_a_part_of_a_directory(tmp_path: Path) -> None:
    dag = Dag(TREE)
    rig = providing(dag, dag.at(1))
    await save(rig, dag, tmp_path / "out", path="sub/deep")
    assert read(tmp_path / "out") == {"nothing": {}, "x": b"x" * 3000}
    saved = await save(rig, dag, tmp_path, path="sub/deep/x")
    assert saved.path == str(tmp_path / "x")
    assert saved.files is None


async def test_into_a_directory_it_takes_a_free_name(tmp_path: Path) -> None:
    dag = Dag({"a": {"f": b"f"}})
    rig = providing(dag, dag.at(1))
    for name in ("a", "a (1)"):
        saved = await save(rig, dag, tmp_path, path="a")
        assert saved.path == str(tmp_path / name)
    assert leftovers(tmp_path) == ["a", "a (1)"]


async def test_it_takes_the_place_of_nothing(tmp_path: Path) -> None:
    dag = Dag(TREE)
    rig = providing(dag, dag.at(1))
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(TargetExistsError):
        await rig.files.save(dag.root, tmp_path / "file", overwrite=True, timeout_s=1.0)
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert leftovers(tmp_path) == ["file"]


ESCAPES = ["/etc/passwd", "..", "../x", "a/../../x", "sub/../..", "/", "a/../b"]


@pytest.mark.parametrize("target", ESCAPES)
async def test_links_that_lead_out_are_refused(tmp_path: Path, target: str) -> None:
    dag = Dag({"f": b"f" * 5000, "l": target, "z": b"z"})
    rig = providing(dag, dag.at(1))
    with pytest.raises(ForbiddenError, match="'l'"):
        await save(rig, dag, tmp_path / "out")
    assert leftovers(tmp_path) == []
    assert await rig.catalogue.count() == 0
    await save(rig, dag, tmp_path / "out", unsafe_links=True)
    assert os.readlink(tmp_path / "out" / "l") == target


async def test_a_link_and_a_directory_of_one_name(tmp_path: Path) -> None:
    """The old trick: a link that leads out, then a file through it."""
    inner = Dag({"pwned": b"p"})
    dag = Dag({})
    link = Dag(str(tmp_path / "victim"))
    (tmp_path / "victim").mkdir()
    dag.keep(*inner.blocks.values(), *link.blocks.values())
    links = [PbLink(link.root, "a", 1), PbLink(inner.root, "a", 1)]
    root = PROFILE.node(encode_unixfs(UnixFsData(NodeType.DIRECTORY)), links)
    dag.keep(root)
    dag.root = root.cid
    rig = providing(dag, dag.at(1))
    for unsafe_links in (False, True):
        with pytest.raises(ChiralError):
            await save(rig, dag, tmp_path / "out", unsafe_links=unsafe_links)
    assert leftovers(tmp_path) == ["victim"]
    assert leftovers(tmp_path / "victim") == []


@pytest.mark.parametrize("name", ["..", ".", "", "../x", "/x", "a/b", "a\0b", "x" * 256])
async def test_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    dag = Dag({})
    file = Dag(b"pwned")
    dag.keep(*file.blocks.values())
    block = PROFILE.node(encode_unixfs(UnixFsData(NodeType.DIRECTORY)), [PbLink(file.root, name, 5)])
    dag.keep(block)
    dag.root = block.cid
    (tmp_path / "here").mkdir()
    with pytest.raises(MalformedContentError):
        await save(providing(dag, dag.at(1)), dag, tmp_path / "here" / "out")
    assert leftovers(tmp_path) == ["here"]
    assert leftovers(tmp_path / "here") == []


async def test_modes_grant_no_rights_and_forbid_no_cleaning(tmp_path: Path) -> None:
    metadata = Metadata(0o7777, ModifiedTime(1))
    file = Dag(b"f")
    made, child = build_directory(PROFILE, [DirectoryEntry("f", file.child)], metadata)
    dag = Dag({})
    dag.keep(*made, *file.blocks.values())
    dag.root = child.cid
    await save(providing(dag, dag.at(1)), dag, tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o777


async def test_a_provider_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    dag = Dag({f"f{number}": os.urandom(5000) for number in range(40)})
    peer = dag.at(1)
    peer.after(30, lacking)
    rig = providing(dag, peer)
    with pytest.raises(ChiralError):
        await save(rig, dag, tmp_path / "out")
    assert leftovers(tmp_path) == []
    assert await rig.catalogue.count() == 0


async def test_cancelled_it_leaves_nothing(tmp_path: Path) -> None:
    dag = Dag({f"f{number}": os.urandom(5000) for number in range(40)})
    peer = dag.at(1, latency_s=0.02)
    with trio.move_on_after(0.25) as scope:
        await save(providing(dag, peer), dag, tmp_path / "out")
    assert scope.cancelled_caught
    assert leftovers(tmp_path) == []
    assert peer.in_flight == 0


@pytest.mark.parametrize("call", ["mkdir", "open", "write", "rename", "symlink"])
async def test_a_disk_that_fails_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    real, left = getattr(os, call), 1 if call in ("rename", "symlink") else 2

    def failing(*arguments: object, **named: object) -> object:
        nonlocal left
        paths = [os.fsdecode(given) for given in arguments if isinstance(given, str | bytes | Path)]
        if call == "write" or any(str(tmp_path) in path for path in paths):
            left -= 1
            if left == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **named)

    dag = Dag(TREE)
    rig = Rig()
    await rig.blocks.put_many(dag.blocks.values())
    monkeypatch.setattr(f"chiral.files.save_tree.os.{call}", failing)
    with pytest.raises(FileAccessError, match="no space left"):
        await save(rig, dag, tmp_path / "out")
    monkeypatch.undo()
    assert leftovers(tmp_path) == []


async def test_names_that_this_file_system_takes_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def taken(path: str, flags: int, *rest: int, **named: int) -> int:
        if flags & os.O_CREAT:
            raise FileExistsError(errno.EEXIST, "File exists")
        return real(path, flags, *rest, **named)

    dag = Dag({"A": b"1", "a": b"2"})
    rig = Rig()
    await rig.blocks.put_many(dag.blocks.values())
    monkeypatch.setattr("chiral.files.save_tree.os.open", taken)
    with pytest.raises(FileAccessError, match="comes twice"):
        await save(rig, dag, tmp_path / "out")
    monkeypatch.undo()
    assert leftovers(tmp_path) == []
