from __future__ import annotations

import pytest

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_block_of_bytes(kind: type) -> None:
    block = Block.of(kind(b"hello"))
    assert block.cid == CID.of(b"hello")
    assert len(block) == 5


def test_its_codec() -> None:
    assert Block.of(b"node", DAG_PB).cid == CID.of(b"node", DAG_PB)


def test_making_one_does_not_verify_it() -> None:
    block = Block(CID.of(b"one"), b"another")
    assert not block.cid.matches(block.data)
