"""From a CID to what it names: what is here first, then others; what cannot be a name here is refused."""

from __future__ import annotations

import pytest

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB, RAW
from chiral.errors import IntegrityError, InvalidCidError, NoProvidersError
from tests.files.rig import Content, Rig


async def test_a_block_that_is_here() -> None:
    rig = Rig()
    for block in (Block.of(b"small"), Block.of(bytes(100_000)), Block.of(b"node", DAG_PB)):
        await rig.blocks.put_many([block])
        root = await rig.resolver.resolve(block.cid, 1.0)
        assert (root.info, root.data, root.local) == (None, block.data, True)
    assert rig.scripted.routing.lookups == []


async def test_a_file_that_is_here() -> None:
    content = Content(5000)
    rig = await Rig().hold(content)
    root = await rig.resolver.resolve(content.root, 1.0)
    assert (root.info, root.manifest, root.local) == (content.info, content.manifest, True)


async def test_an_identity_cid_holds_its_block_itself() -> None:
    cid = CID(1, RAW, b"\x00\x05hello")
    assert (await Rig().resolver.resolve(cid, 1.0)).data == b"hello"


@pytest.mark.parametrize("size", [10, 100_000])
async def test_a_block_that_rotted_is_not_given_out(size: int) -> None:
    rig = Rig()
    cid = CID.of(bytes(size))
    await rig.blocks.put_many([Block(cid, b"x" * size)])
    with pytest.raises(IntegrityError, match="damaged in the local store"):
        await rig.resolver.resolve(cid, 1.0)


@pytest.mark.parametrize(
    "cid",
    [
        CID(1, RAW, b"\x99\x01\x20" + bytes(32)),
        CID(1, 0x9999, b"\x12\x20" + bytes(32)),
        CID(1, RAW, b"\x00\x81\x01" + bytes(129)),
    ],
    ids=["hash", "codec", "identity too long"],
)
async def test_a_cid_of_unknown_kind_is_refused_before_anybody_is_asked(cid: CID) -> None:
    rig = Rig()
    with pytest.raises(InvalidCidError):
        await rig.resolver.resolve(cid, 1.0)
    assert rig.scripted.routing.lookups == []


async def test_an_unknown_cid_has_no_providers() -> None:
    with pytest.raises(NoProvidersError):
        await Rig().resolver.resolve(CID.of(b"nobody has this"), 1.0)
