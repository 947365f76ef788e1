"""Pins are added once what they keep is here whole; they are removed by name."""

from __future__ import annotations

import pytest
import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.errors import InvalidCidError, NotFoundError, UsageError
from chiral.interface.pins import Pin, PinKind
from chiral.pinning.pinner import Pinner
from tests.pinning.dags import leaf, node, tree
from tests.pinning.rig import Rig


async def test_all_below_is_fetched_and_what_is_here_is_not() -> None:
    rig, dag = Rig(), tree("wanted", depth=3)
    rig.source.others_hold(*dag)
    await rig.put(*dag[5:9])
    told: list[tuple[int, int | None]] = []
    pinned = await rig.pinner.add(dag[0].cid, name="n", timeout_s=1, progress=lambda *so_far: told.append(so_far))
    assert (pinned.new, pinned.blocks, pinned.pin.name, pinned.pin.kind) == (True, len(dag), "n", PinKind.RECURSIVE)
    assert await rig.all_here(dag)
    assert set(rig.source.asked) == {block.cid for block in dag} - {block.cid for block in dag[5:9]}
    assert told[-1] == (len(dag), len(dag))
    assert not (await rig.pinner.add(dag[0].cid, name="n", timeout_s=1)).new


async def test_direct_is_the_block_alone() -> None:
    rig, dag = Rig(), tree("wanted")
    rig.source.others_hold(*dag)
    pinned = await rig.pinner.add(dag[0].cid, kind=PinKind.DIRECT, timeout_s=1)
    assert pinned.blocks == 1
    assert await rig.here(dag) == [True] + [False] * (len(dag) - 1)


async def test_what_nobody_has_is_not_pinned() -> None:
    rig, dag = Rig(), tree("wanted")
    rig.source.others_hold(*dag[:-1])
    with pytest.raises(NotFoundError):
        await rig.pinner.add(dag[0].cid, timeout_s=1)
    assert await rig.pinner.of(dag[0].cid) == []
    await rig.collection().run()
    assert await rig.none_here(dag)


async def test_a_file_by_its_root() -> None:
    rig = Rig()
    record = await rig.hold_file(leaf("a"), leaf("b"))
    rig.source.files.add(record.root)
    await rig.pinner.add(record.root, timeout_s=1)
    assert [pin.cid for pin in await rig.pinner.page()] == [record.root]


async def test_a_file_removed_while_it_was_being_pinned() -> None:
    rig = Rig()
    rig.source.files.add(leaf("a root").cid)
    with pytest.raises(NotFoundError, match="removed while"):
        await rig.pinner.add(leaf("a root").cid, timeout_s=1)
    assert (await rig.pinner.counts()).recursive == 0


async def test_a_dag_that_unfolds_to_an_enormous_tree() -> None:
    rig = Rig()
    dag: list[Block] = [leaf("bottom")]
    for _ in range(60):
        dag.append(node(*[dag[-1]] * 10))
    rig.source.others_hold(*dag)
    with trio.fail_after(5):
        assert (await rig.pinner.add(dag[-1].cid, timeout_s=1)).blocks == 61


async def test_a_cid_that_cannot_be_verified() -> None:
    rig = Rig()
    with pytest.raises(InvalidCidError):
        await rig.pinner.add(CID(1, DAG_PB, b"\x11\x14" + bytes(20)), timeout_s=1)
    with pytest.raises(InvalidCidError, match="codec"):
        await rig.pinner.add(CID(1, 0x90, leaf("x").cid.multihash), timeout_s=1)


class TestRemoving:
    async def test_the_only_one(self) -> None:
        rig = Rig()
        await rig.pin(leaf("a").cid)
        assert [pin.cid for pin in await rig.pinner.remove(leaf("a").cid)] == [leaf("a").cid]
        with pytest.raises(NotFoundError):
            await rig.pinner.remove(leaf("a").cid)

    async def test_one_of_several_must_be_named(self) -> None:
        rig, cid = Rig(), leaf("a").cid
        for name in ("x", "y", "z"):
            await rig.pins.put(Pin(cid, PinKind.DIRECT, name))
        with pytest.raises(UsageError, match="'x', 'y', 'z'"):
            await rig.pinner.remove(cid)
        with pytest.raises(NotFoundError, match="'w'"):
            await rig.pinner.remove(cid, name="w")
        assert [pin.name for pin in await rig.pinner.remove(cid, name="y")] == ["y"]
        assert [pin.name for pin in await rig.pinner.remove(cid, every=True)] == ["x", "z"]


class Noting:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, CID]] = []

    def kept(self, cid: CID) -> None:
        self.told.append(("kept", cid))

    async def given_up(self, cid: CID) -> None:
        await trio.lowlevel.checkpoint()
        self.told.append(("given up", cid))


async def test_the_swarm_hears_of_blocks_and_dags_when_the_last_pin_goes_too() -> None:
    rig, news = Rig(), Noting()
    pinner = Pinner(rig.pins, rig.blocks, rig.catalogue, rig.uses, rig.source, rig.clock, news)
    file = await rig.hold_file(leaf("a"))
    rig.source.files.add(file.root)
    await pinner.add(file.root, timeout_s=1)
    assert news.told == [], "of files others tell"
    cid = leaf("a").cid
    for name in ("x", "y"):
        await pinner.add(cid, name=name, timeout_s=1)
    await pinner.remove(cid, name="x")
    assert news.told == [("kept", cid)] * 2
    await pinner.remove(cid)
    assert news.told[2:] == [("given up", cid)]


async def test_after_a_restart_all_pins_but_those_of_files_are_told_of() -> None:
    rig, news = Rig(), Noting()
    pinner = Pinner(rig.pins, rig.blocks, rig.catalogue, rig.uses, rig.source, rig.clock, news)
    file = await rig.hold_file(leaf("a"))
    for cid in (file.root, leaf("b").cid, tree("dag")[0].cid):
        await rig.pin(cid)
    await pinner.tell_all()
    assert set(news.told) == {("kept", leaf("b").cid), ("kept", tree("dag")[0].cid)}
