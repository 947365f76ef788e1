"""Value records between whole nodes over loopback TCP: what seed 000 asks of put_record, get_record and metadata."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from chiral.dag.metadata_record import decode_metadata_record
from chiral.dag.metadata_validator import metadata_key
from chiral.errors import UsageError
from chiral.host.identity import load_identity
from chiral.interface.public_key import peer_id_of_public_key
from chiral.interface.values import RecordFound
from chiral.kad.public_key_record import public_key_key
from chiral.node.node import Node
from chiral.routing.settings import KadSettings
from tests.scenarios.swarm import DEADLINE_S, add, config, random_file, running, several


async def test_put_get_record(tmp_path: Path) -> None:
    """Seed 000: a record put by one node is got by another; here the putter's public key."""
    async with running(tmp_path / "first") as first, several(tmp_path, 3, first) as nodes:
        putter, getter = nodes[0], nodes[2]
        key = public_key_key(putter.peer_id)
        value = load_identity(putter.config.data_dir).public_key.serialize()
        with trio.fail_after(DEADLINE_S):
            put = await putter.routing.put_record(key, value, quorum="all")
            assert (put.asked, put.stored) == (3, 3)
            found = await getter.routing.get_record(key, quorum="majority")
            assert found is not None
            assert found.reached
            assert peer_id_of_public_key(found.value) == putter.peer_id
            with pytest.raises(UsageError, match="not that of the peer"):
                await getter.routing.put_record(key, load_identity(getter.config.data_dir).public_key.serialize())


async def test_metadata_of_an_added_file(tmp_path: Path) -> None:
    """Seed 000: who knows a root gets the file's metadata from the DHT, signed by who added it."""
    async with running(tmp_path / "first") as first, several(tmp_path, 2, first) as (author, seeker):
        added = await add(author, random_file(tmp_path / "photo.jpg", 600_000))
        record = decode_metadata_record((await metadata_of(seeker, author, tmp_path)).value)
        info = record.metadata.info
        assert (info.root_cid, info.name, info.size, len(info.chunk_cids)) == (added.root, "photo.jpg", 600_000, 3)
        assert record.metadata.mime_type == "image/jpeg"
        assert peer_id_of_public_key(record.author_key) == author.peer_id


async def metadata_of(seeker: Node, author: Node, tmp_path: Path) -> RecordFound:
    """The record of the author's only file, once it is published behind the add."""
    [file] = await author.catalogue.page()
    with trio.fail_after(DEADLINE_S):
        while (found := await seeker.routing.get_record(metadata_key(file.root), quorum="all")) is None:  # noqa: ASYNC110
            await trio.sleep(0.05)
    return found


async def test_metadata_is_published_again_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path / "author") as author:
        await add(author, random_file(tmp_path / "f", 1000))
        [file] = await author.catalogue.page()
        with trio.fail_after(DEADLINE_S):
            while not await author.routing.get_record(metadata_key(file.root)):  # noqa: ASYNC110
                await trio.sleep(0.05)
    async with running(tmp_path / "author") as author, running(tmp_path / "seeker", author) as seeker:
        await metadata_of(seeker, author, tmp_path)


async def test_metadata_that_is_off(tmp_path: Path) -> None:
    plain = config(tmp_path / "off").model_copy(update={"routing": KadSettings(metadata="off")})
    async with Node(plain) as node:
        added = await add(node, random_file(tmp_path / "f", 1000))
        with pytest.raises(UsageError, match="name space 'metadata'"):
            await node.routing.get_record(metadata_key(added.root))
