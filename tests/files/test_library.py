"""What is said of files just added, and deltas between them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from chiral.block.cid import CID
from chiral.encoding.deltas import Delta
from chiral.errors import IntegrityError, MalformedContentError, NotFoundError, TooLargeError, UsageError
from chiral.files import delta_files
from chiral.files.library import Description
from tests.files.rig import CHUNK_BYTES
from tests.files.shelved import Shelved

OLD = random.Random(5).randbytes(30 * CHUNK_BYTES)
NEW = OLD[: 7 * CHUNK_BYTES] + b"something new" + OLD[7 * CHUNK_BYTES :]


async def test_all_is_said_at_once() -> None:
    rig = Shelved()
    added = await rig.add(OLD)
    record, version = await rig.library.describe(added.root, Description(["red"], 3600, "report"))
    assert (record.tags, record.expires_at is not None) == (("red",), True)
    assert version is not None
    assert (version.number, version.root, version.size) == (1, added.root, len(OLD))
    assert await rig.library.describe(added.root, Description()) == (record, None)


async def test_nothing_is_said_where_the_name_is_none() -> None:
    rig = Shelved()
    added = await rig.add(OLD)
    with pytest.raises(UsageError):
        await rig.library.describe(added.root, Description(["red"], 3600, "\n"))
    assert (await rig.library.labels.find(added.root)).tags == ()
    with pytest.raises(NotFoundError):
        await rig.library.describe(CID.of(b"missing"), Description(["red"]))


async def test_the_newer_file_is_rebuilt_from_the_older_and_a_delta() -> None:
    rig = Shelved()
    old, new = await rig.add(OLD), await rig.add(NEW, "new.bin")
    made = await rig.library.deltas.make(old.root, new.root, timeout_s=1)
    assert (made.base, made.target, made.target_size) == (old.root, new.root, len(NEW))
    assert made.size < 1000
    await rig.files.remove(new.root)
    record = await rig.library.deltas.apply(old.root, made.root, timeout_s=1)
    assert (record.root, record.name, record.size, record.dag_root) == (new.root, "new.bin", len(NEW), new.dag_root)
    assert (await rig.library.viewer.view(new.root)).state == "whole"
    assert ("added", new.root) in rig.announcer.told[2:]


async def test_a_base_may_be_named_by_its_dag_root() -> None:
    rig = Shelved()
    old, new = await rig.add(OLD), await rig.add(NEW)
    assert old.dag_root is not None
    assert new.dag_root is not None
    made = await rig.library.deltas.make(old.dag_root, new.dag_root, timeout_s=1)
    assert (made.base, made.target) == (old.root, new.root)
    assert (await rig.library.deltas.apply(old.dag_root, made.root, timeout_s=1)).root == new.root


async def test_a_delta_of_another_base_is_refused() -> None:
    rig = Shelved()
    old, new, other = await rig.add(OLD), await rig.add(NEW), await rig.add(b"other")
    made = await rig.library.deltas.make(old.root, new.root, timeout_s=1)
    with pytest.raises(UsageError, match=str(old.root)):
        await rig.library.deltas.apply(other.root, made.root, timeout_s=1)


async def test_what_is_no_delta_is_refused() -> None:
    rig = Shelved()
    old = await rig.add(OLD)
    with pytest.raises(MalformedContentError):
        await rig.library.deltas.apply(old.root, old.root, timeout_s=1)


async def test_a_delta_that_makes_something_else_leaves_nothing() -> None:
    rig = Shelved()
    old, new = await rig.add(OLD), await rig.add(NEW)
    made = await rig.library.deltas.make(old.root, new.root, timeout_s=1)
    async with rig.files.open(made.root, timeout_s=1) as reader:
        data = b"".join([part async for part in reader])
    forged = replace(Delta.decode(data), target=CID.of(b"another"), name="forged")
    lie = await rig.add(forged.encode(), "lie.delta")
    await rig.files.remove(new.root)
    before = await rig.blocks.stats()
    with pytest.raises(IntegrityError, match="promised"):
        await rig.library.deltas.apply(old.root, lie.root, timeout_s=1)
    assert await rig.blocks.stats() == before


async def test_files_over_the_limit_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Shelved()
    old, new = await rig.add(OLD), await rig.add(NEW)
    monkeypatch.setattr(delta_files, "MAX_FILE_BYTES", len(OLD))
    with pytest.raises(TooLargeError):
        await rig.library.deltas.make(old.root, new.root, timeout_s=1)


async def test_both_files_must_be_here() -> None:
    rig = Shelved()
    old = await rig.add(OLD)
    with pytest.raises(NotFoundError):
        await rig.library.deltas.make(old.root, CID.of(b"missing"), timeout_s=1)
