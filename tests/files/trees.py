"""Local directories and DAGs for tests: made from a description, read back into one, held by scripted peers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.dag.dag_profile import DagChild, DagProfile, leaf
from chiral.dag.directory import DirectoryEntry, build_directory, symlink
from chiral.dag.file_layout import file_layout
from tests.fakes.exchange import Conduct, ScriptedPeer, honest

Tree = Mapping[str, "bytes | str | Tree"]
"""By name: a file's bytes, where a symbolic link leads, or what is in a directory."""
PROFILE = DagProfile(width=6)
CHUNK_BYTES = 1024


def write(folder: Path, tree: Tree) -> Path:
    """Make `tree` at `folder`."""
    folder.mkdir()
    for name, what in tree.items():
        if isinstance(what, bytes):
            (folder / name).write_bytes(what)
        elif isinstance(what, str):
            os.symlink(what, folder / name)
        else:
            write(folder / name, what)
    return folder


def read(folder: Path) -> Tree:
    """What is at `folder`."""
    found: dict[str, bytes | str | Tree] = {}
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.is_symlink():
            found[entry.name] = os.readlink(path)
        else:
            found[entry.name] = read(path) if entry.is_dir() else path.read_bytes()
    return found


class Dag:
    """The DAG of a tree or a file, all its blocks in memory."""

    def __init__(self, content: bytes | str | Tree, profile: DagProfile = PROFILE) -> None:
        self.blocks: dict[CID, Block] = {}
        self._profile = profile
        self.child = self._made(content)
        self.root = self.child.cid

    def at(self, number: int, conduct: Conduct = honest, *, latency_s: float = 0.0) -> ScriptedPeer:
        """A peer that holds all of it."""
        return ScriptedPeer(number, conduct, latency_s=latency_s).hold(self.blocks.values())

    def keep(self, *blocks: Block) -> None:
        self.blocks.update((block.cid, block) for block in blocks)

    def _made(self, content: bytes | str | Tree) -> DagChild:
        if isinstance(content, bytes):
            return self._file(content)
        if isinstance(content, str):
            block, child = symlink(self._profile, os.fsencode(content))
            self.keep(block)
            return child
        entries = [DirectoryEntry(name, self._made(what)) for name, what in content.items()]
        made, child = build_directory(self._profile, entries)
        self.keep(*made)
        return child

    def _file(self, data: bytes) -> DagChild:
        layout = file_layout(self._profile)
        for at in range(0, len(data), CHUNK_BYTES):
            block, child = leaf(self._profile, data[at : at + CHUNK_BYTES])
            self.keep(block, *layout.add(child))
        made, root = layout.finish()
        self.keep(*made)
        return root
