"""A file cut, hashed and put under its DAG: Kubo's CIDs, metadata, and the same however the bytes come."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from chiral.block.cid import CID
from chiral.chunker.content_defined import ContentDefinedChunker
from chiral.chunker.fixed import FixedChunker
from chiral.chunker.splitter import Chunker
from chiral.dag.dag_profile import DagProfile
from chiral.dag.directory import Metadata
from chiral.dag.file_reader import read_file
from chiral.files.cutting import Batch, Cutting
from tests.dag.blocks import Blocks, pattern

KUBO = json.loads((Path(__file__).parents[1] / "vectors" / "kubo-unixfs.json").read_text())
FLAT = {case["size"]: case for case in KUBO["chiral_flat"]}
VARIANTS = {
    "default": DagProfile(cid_version=0, raw_leaves=False),
    "cidv1": DagProfile(),
    "cidv1_noraw": DagProfile(raw_leaves=False),
    "cidv0_raw": DagProfile(cid_version=0),
    "cidv1_trickle": DagProfile(layout="trickle"),
}


def cut(cutting: Cutting, data: bytes, read_bytes: int) -> list[Batch]:
    batches = []
    for at in range(0, len(data), read_bytes):
        cutting.feed(data[at : at + read_bytes])
        if cutting.full:
            batches.append(cutting.cut())
    return [*batches, cutting.finish()]


def chunks_of(batches: list[Batch]) -> list[CID]:
    return [block.cid for batch in batches for block in batch.chunks]


def blocks_of(batches: list[Batch]) -> Blocks:
    blocks = Blocks()
    for batch in batches:
        blocks.keep([*batch.chunks, *batch.nodes])
    return blocks


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145, 614_400])
def test_the_dag_is_kubos_and_the_chunks_are_always_the_same(variant: str, size: int) -> None:
    case = next(case for case in KUBO["files"] if case["size"] == size)
    cutting = Cutting(FixedChunker(), VARIANTS[variant], size)
    data = pattern(size)
    batches = cut(cutting, data, cutting.read_bytes)
    assert str(cutting.root.cid) == case["cids"][variant]
    assert chunks_of(batches) == [CID.of(data[at : at + 262_144]) for at in range(0, size, 262_144)]
    pieces, _ = blocks_of(batches).walk(read_file(cutting.root.cid))
    assert b"".join(pieces) == data


@pytest.mark.parametrize("chunker", [FixedChunker(1024), FixedChunker(1 << 20), ContentDefinedChunker()])
def test_however_the_bytes_come(chunker: Chunker) -> None:
    data = random.Random(5).randbytes(11 << 20)
    made = []
    for read_bytes in (60_000, 1 << 20, len(data)):
        cutting = Cutting(chunker, DagProfile(), len(data))
        made.append((chunks_of(cut(cutting, data, read_bytes)), cutting.root))
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("size", [0, 100, 5000])
@pytest.mark.parametrize("profile", [DagProfile(width=3), DagProfile(width=3, raw_leaves=False)])
def test_metadata_is_in_the_root_and_no_other_root_is_stored(size: int, profile: DagProfile) -> None:
    data = pattern(size)
    plain = Cutting(FixedChunker(1024), profile, size)
    cut(plain, data, 1024)
    cutting = Cutting(FixedChunker(1024), profile, size, Metadata(0o600))
    batches = cut(cutting, data, 1024)
    blocks = blocks_of(batches)
    pieces, _ = blocks.walk(read_file(cutting.root.cid))
    assert b"".join(pieces) == data
    assert chunks_of(batches) == [CID.of(data[at : at + 1024]) for at in range(0, size, 1024)]
    assert plain.root.cid not in {block.cid for batch in batches for block in batch.nodes}
