"""Blocks in a dictionary, and the driving of walks over them, for tests of the Merkle DAG."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, TypeVar

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.dag.dag_node import Want
from chiral.dag.dag_profile import DagChild, DagProfile, leaf
from chiral.dag.file_layout import file_layout

R = TypeVar("R")


def pattern(size: int) -> bytes:
    """Byte i is (i * 31 + 7) mod 251, as in the vectors."""
    period = bytes((i * 31 + 7) % 251 for i in range(251))
    return (period * (size // 251 + 1))[:size]


class Blocks(dict[CID, bytes]):
    """Blocks by CID; `asked` is what walks wanted, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[CID] = []

    def keep(self, blocks: Iterable[Block]) -> None:
        self.update((block.cid, bytes(block.data)) for block in blocks)

    def add_file(self, profile: DagProfile, data: bytes, chunk_bytes: int = 256 << 10) -> DagChild:
        layout = file_layout(profile)
        for at in range(0, len(data), chunk_bytes):
            block, child = leaf(profile, data[at : at + chunk_bytes])
            self.keep([block])
            self.keep(layout.add(child))
        made, root = layout.finish()
        self.keep(made)
        return root

    def walk(self, walk: Generator[Any, Any, R]) -> tuple[list[Any], R]:
        """What a walk yielded beside its wants, and what it returned; an absent block is a `KeyError`."""
        given: list[Any] = []
        answer: bytes | None = None
        while True:
            try:
                said = walk.send(answer)
            except StopIteration as end:
                return given, end.value
            if isinstance(said, Want):
                self.asked.append(said.cid)
                answer = self[said.cid]
            else:
                given.append(said)
                answer = None
