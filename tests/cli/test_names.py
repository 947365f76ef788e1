"""CIDs as arguments."""

from __future__ import annotations

import base64

import pytest

from chiral.block.cid import CID
from chiral.cli.names import plain_name
from chiral.errors import InvalidCidError
from tests.cli.conftest import Cli, Running

A_CID = CID.of(b"x")


@pytest.mark.parametrize("text", [str(A_CID), f"  {A_CID}\n", f"/ipfs/{A_CID}"])
def test_forms_of_one_cid(text: str) -> None:
    assert plain_name(text) == str(A_CID)


def test_base64_with_a_slash() -> None:
    cid = next(made for made in (CID.of(bytes([n])) for n in range(256)) if b"/" in base64.b64encode(made.buffer))
    assert plain_name("m" + base64.b64encode(cid.buffer).decode().rstrip("=")) == str(cid)


@pytest.mark.parametrize("text", ["", " ", "a/b", "../..", "x?y", "x#y", "é", "\0", "a b"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(InvalidCidError):
        plain_name(text)


def test_a_path_is_understood(cli: Cli, node: Running) -> None:
    assert cli("cat", "--data", node.data_dir, f"/ipfs/{node.held['file']}").code == 0
