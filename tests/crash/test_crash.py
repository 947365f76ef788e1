"""Killed at any instant while it adds, gets, pins and collects, a node has all it acknowledged, and no more for long.

Forty instants by a fixed seed; `CHIRAL_CRASHES` asks for another number of them.
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chiral.block.cid import CID
from chiral.interface.pins import PinKind
from chiral.pinning.links import links_of
from tests.crash.workload import Keeping, collect, content_of, dag_of, open_keeping

KILLS = int(os.environ.get("CHIRAL_CRASHES", "40"))
SEED = 20_240_602
LONGEST_S = 0.3
NUMBERS_A_ROUND = 10_000
KILLS_A_STORE = 20
"""Then a new store is begun: all that was ever acknowledged is looked at after each kill."""
ROOT = Path(__file__).parents[2]


class Zygote:
    """Forks children and says how they ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run_and_kill(self, directory: Path, first: int, told: Path, target: Path, after_s: float) -> None:
        """One child, killed `after_s` seconds after it began."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(map(str, (directory, first, told, target))) + "\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        # An instant that nothing marks: the child works on while this waits for what never comes.
        select.select([], [], [], after_s)
        os.kill(child, signal.SIGKILL)
        status = int(self._process.stdout.readline())
        assert os.WIFSIGNALED(status), "the child ended by itself: its fault is on stderr"


@contextmanager
def zygote() -> Iterator[Zygote]:
    command = [sys.executable, "-m", "tests.crash.zygote"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield Zygote(process)
        assert process.stdin is not None
        process.stdin.close()


class Account:
    """What children said they did, of files and of pins."""

    def __init__(self, lines: list[str]) -> None:
        said = [(verb, int(number)) for verb, number in (line.split() for line in lines)]
        self.said = said
        self.files = self._of("added", "got") - self._of("removing")
        self.gone = self._of("removed")
        self.got = self._of("got")
        self.pins = self._of("pinned") - self._of("unpinning")
        self.unpinned = self._of("unpinned")

    def _of(self, *verbs: str) -> set[int]:
        return {number for verb, number in self.said if verb in verbs}


async def check(keeping: Keeping, account: Account, target: Path) -> None:
    """All that was acknowledged is here whole, before a collection and after it; after it nothing else is."""
    await check_acknowledged(keeping, account)
    check_saved(account, target)
    await collect(keeping)
    await check_acknowledged(keeping, account)
    assert await everything_here(keeping) == await everything_kept(keeping)


def check_saved(account: Account, target: Path) -> None:
    """What was got was saved, and what is under a file's name is the whole file."""
    saved = {int(path.name): path for path in target.iterdir() if path.name.isdecimal()}
    assert account.got <= set(saved)
    for number, path in saved.items():
        assert path.read_bytes() == content_of(number).data


async def check_acknowledged(keeping: Keeping, account: Account) -> None:
    store = keeping.store
    for number in account.files:
        content = content_of(number)
        assert await store.catalogue.manifest(content.root) is not None
        held = await store.blocks.get_many([block.cid for block in content.blocks])
        assert held == [block.data for block in content.blocks]
    for number in account.gone:
        assert await store.catalogue.get(content_of(number).root) is None
    for number in account.pins:
        dag = dag_of(number)
        [pin] = await store.pins.of(dag[0].cid)
        kept = dag[:1] if pin.kind is PinKind.DIRECT else dag
        assert await store.blocks.get_many([block.cid for block in kept]) == [block.data for block in kept]
    for number in account.unpinned:
        assert await store.pins.of(dag_of(number)[0].cid) == []


async def everything_here(keeping: Keeping) -> set[bytes]:
    """Every block in the store, each held against its CID."""
    cids: list[CID] = []
    while page := await keeping.store.blocks.page(cids[-1].multihash if cids else b""):
        cids += page
    blocks = await keeping.store.blocks.get_many(cids)
    assert all(block is not None and cid.matches(block) for cid, block in zip(cids, blocks, strict=True))
    return {cid.multihash for cid in cids}


async def everything_kept(keeping: Keeping) -> set[bytes]:
    """What catalogue and pins lead to, all of which must be here."""
    store = keeping.store
    kept: set[bytes] = set()
    for record in await store.catalogue.page(limit=100_000):
        info = await keeping.rig.shelf.info(record.root)
        assert info is not None
        kept |= {cid.multihash for cid in info[0].chunk_cids}
        if record.dag_root is not None:
            kept |= await below(keeping, record.dag_root)
    for pin in await store.pins.page(limit=100_000):
        kept |= {pin.cid.multihash} if pin.kind is PinKind.DIRECT else await below(keeping, pin.cid)
    return kept


async def below(keeping: Keeping, root: CID) -> set[bytes]:
    found, waiting = set[bytes](), [root]
    while waiting:
        cid = waiting.pop()
        if cid.multihash not in found:
            found.add(cid.multihash)
            block = await keeping.store.blocks.get(cid)
            assert block is not None, f"{cid} is kept and not here"
            waiting += links_of(cid, block)
    return found


def begin_anew(directory: Path) -> tuple[Path, Path, Path]:
    """A data directory, the file to tell in, and the directory to save to, all empty."""
    told = directory / "told"
    data, saved = directory / "data", directory / "saved"
    data.mkdir(parents=True)
    saved.mkdir()
    told.touch()
    return data, told, saved


async def test_killed_at_any_instant(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    verbs: set[str] = set()
    with zygote() as children:
        for turn in range(KILLS):
            if turn % KILLS_A_STORE == 0:
                data, told, saved = begin_anew(tmp_path / str(turn))
            after_s = rng.uniform(0, LONGEST_S)
            children.run_and_kill(data, turn * NUMBERS_A_ROUND, told, saved, after_s)
            # The kill may have cut the last line; a full line was written after its acknowledgement.
            account = Account(told.read_text().split("\n")[:-1])
            async with open_keeping(data) as keeping:
                await check(keeping, account, saved)
            verbs |= {verb for verb, _ in account.said}
    assert KILLS < 40 or verbs >= {"added", "got", "pinned", "collected", "removed", "unpinned"}
