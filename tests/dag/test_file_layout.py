"""File layouts: every CID of Kubo's vectors and of IPIP-499, and that any of them reads back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID
from chiral.dag.dag_pb import decode_node
from chiral.dag.dag_profile import PROFILES, DagProfile, leaf
from chiral.dag.file_layout import file_layout
from chiral.dag.file_reader import read_file
from tests.dag.blocks import Blocks, pattern

KUBO = json.loads((Path(__file__).parents[1] / "vectors" / "kubo-unixfs.json").read_text())
IPIP = json.loads((Path(__file__).parents[1] / "fixtures" / "unixfs" / "ipip-0499.json").read_text())
VARIANTS = {
    "default": DagProfile(cid_version=0, raw_leaves=False),
    "cidv1": DagProfile(),
    "cidv1_noraw": DagProfile(raw_leaves=False),
    "cidv1_1m": DagProfile(),
    "cidv0_raw": DagProfile(cid_version=0),
    "cidv1_trickle": DagProfile(layout="trickle"),
    "cidv1_256k": DagProfile(),
}
CHUNKS = {"cidv1_1m": 1 << 20}
SMALL = st.builds(
    DagProfile,
    st.sampled_from([0, 1]),
    st.booleans(),
    st.integers(2, 5),
    st.sampled_from(["balanced", "trickle"]),
)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", KUBO["files"], ids=lambda case: str(case["size"]))
def test_kubos_file_cids(variant: str, case: dict[str, Any]) -> None:
    data = pattern(case["size"])
    assert hashlib.sha256(data).hexdigest() == case["sha256"]
    root = Blocks().add_file(VARIANTS[variant], data, CHUNKS.get(variant, 256 << 10))
    assert str(root.cid) == case["cids"][variant]


@pytest.mark.parametrize("size", [614_400, 52_428_800])
@pytest.mark.parametrize("variant", ["default", "cidv1"])
def test_kubos_root_blocks(variant: str, size: int) -> None:
    told = KUBO[f"blocks_{size}"][variant]
    blocks = Blocks()
    root = blocks.add_file(VARIANTS[variant], pattern(size))
    assert str(root.cid) == told["root"]
    assert blocks[root.cid].hex() == told["root_block_hex"]
    links = [str(link.cid) for link in decode_node(blocks[root.cid]).links]
    assert links == told.get("links", told.get("root_links"))


def chacha20(seed: str, size: int, chunk_bytes: int) -> Iterator[bytes]:
    """The fixtures' input in chunks: the first `size` bytes of the key stream under SHA-256 of `seed`."""
    cipher = Cipher(ChaCha20(hashlib.sha256(seed.encode()).digest(), bytes(16)), mode=None).encryptor()
    for at in range(0, size, chunk_bytes):
        yield cipher.update(bytes(min(chunk_bytes, size - at)))


def _chunks(case: dict[str, Any], chunk_bytes: int) -> Iterator[bytes]:
    told = case["input"]
    if "text" in told:
        return iter([told["text"].encode()])
    return chacha20(told["seed"], told["size"], chunk_bytes)


@pytest.mark.parametrize("case", IPIP["cases"], ids=lambda case: str(case["id"]))
def test_the_profiles_of_ipip_499(case: dict[str, Any]) -> None:
    profile, nodes, digest = PROFILES[case["profile"]], Blocks(), hashlib.sha256()
    layout = file_layout(profile)
    for chunk in _chunks(case, IPIP["profiles"][case["profile"]]["max_chunk_size"]):
        digest.update(chunk)
        block, child = leaf(profile, chunk)
        nodes.keep(layout.add(child))
    assert digest.hexdigest() == case["input"]["sha256"]
    made, root = layout.finish()
    nodes.keep(made)
    assert str(root.cid) == case["cid"]
    if case["root_links"] is not None:
        links = decode_node(nodes.get(root.cid) or bytes(block.data)).links
        assert len(links) == case["root_links"]


def test_a_foreign_layout_is_built_and_read() -> None:
    (case,) = IPIP["other_layout"]
    blocks, data = Blocks(), b"".join(_chunks(case, 1 << 20))
    root = blocks.add_file(DagProfile(cid_version=0, raw_leaves=False, layout="trickle"), data)
    assert str(root.cid) == case["cid"]
    pieces, _ = blocks.walk(read_file(CID.parse(case["cid"])))
    assert b"".join(pieces) == data


@given(SMALL, st.integers(0, 90))
def test_any_layout_reads_back(profile: DagProfile, chunks: int) -> None:
    blocks, data = Blocks(), pattern(chunks * 3)
    root = blocks.add_file(profile, data, 3)
    assert root.size == len(data)
    pieces, _ = blocks.walk(read_file(root.cid))
    assert b"".join(pieces) == data
    assert set(blocks.asked) == set(blocks)


@given(SMALL, st.integers(1, 60))
def test_no_node_has_more_links_than_it_may(profile: DagProfile, chunks: int) -> None:
    layout, blocks = file_layout(profile), Blocks()
    root = blocks.add_file(profile, pattern(chunks), 1)
    widest = profile.width + (100 if profile.layout == "trickle" else 0)  # a trickle node has subtrees besides
    for cid, block in blocks.items():
        if cid.codec_name == "dag-pb":
            assert len(decode_node(block).links) <= widest
    assert root.size == chunks
    assert layout.finish()[1].size == 0


def test_an_unfinished_file_is_held_as_a_path_of_nodes() -> None:
    layout = file_layout(DagProfile(width=4))
    child = Blocks().add_file(DagProfile(), b"x")
    made = sum(len(layout.add(child)) for _ in range(4096))
    assert made >= 4096 // 4 + 4096 // 16 + 4096 // 64 - 8
