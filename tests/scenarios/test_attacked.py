"""A node under attack goes on serving others: every byte right, no request failed, memory bounded, nothing left behind.

How fast it serves meanwhile is measured and shown (`pytest -s`, and as JSON in the file `CHIRAL_ATTACK_REPORT` names),
beside the same with a process that uses as much CPU and attacks nobody: what a machine of few cores loses to any
neighbour is not the attack's doing. Times are never asserted.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import trio

from chiral.block.cid import CID
from chiral.clock import SystemClock
from chiral.dag.file_info import FileInfo
from chiral.events.bus import EventBus
from chiral.exchange.client import BlockClient
from chiral.exchange.settings import ExchangeSettings
from chiral.host.addresses import parse_peer_address
from chiral.host.host import Host
from chiral.host.identity import new_identity
from chiral.host.settings import HostSettings
from chiral.interface.peer import PeerId, PeerInfo
from interop.bench.usage import cpu_seconds_of
from tests.host.child import Child, child
from tests.scenarios.floods import FLOODS, WITHIN

MIB_BYTES = 1 << 20
IN_FLIGHT = 16
ATTACK_S = 1.2
CONTROL_S = 0.6
HELD_REQUESTS = 64
GROWTH_MIB = 64.0
"""What the node may take in memory of its own beyond what honest work alone takes."""
COME_BACK_S = 20.0
SAMPLE_S = 0.02


@dataclass(frozen=True)
class Row:
    """MiB/s of the honest requester: quiet, beside as much CPU burnt, under attack; what the attacker did.

    A cost is the node's CPU, in ms, for each MiB that the honest requester was given: it depends less on who else runs.
    """

    attack: str
    quiet: float
    control: float
    attacked: float
    control_cost: float
    attacked_cost: float
    attacker_cores: float
    growth_mib: float
    seen: dict[str, Any]

    @property
    def to_control(self) -> float:
        return self.attacked / self.control

    @property
    def node_cores(self) -> float:
        """How much of a core the attack costs the node."""
        return max(0.0, self.attacked * (self.attacked_cost - self.control_cost) / 1000)


class Requester:
    """Asks the node for the blocks of its file, again and again, and holds each against its CID."""

    def __init__(self, client: BlockClient, peer: PeerId, chunks: list[CID], pid: int) -> None:
        self._client = client
        self._peer = peer
        self._chunks = chunks
        self._next = 0
        self.bytes = 0
        self.blocks = 0
        self.pid = pid

    async def during(self, work: Callable[[], Awaitable[Any]]) -> tuple[Any, float, float]:
        """Ask as long as `work` takes, for one whole file at least; its result, and MiB/s and cost while it lasted."""
        over = trio.Event()
        first = self.blocks
        async with trio.open_nursery() as nursery:
            for _ in range(IN_FLIGHT):
                nursery.start_soon(self._ask, over, first)
            before, began, used = self.bytes, trio.current_time(), cpu_seconds_of([self.pid])
            result = await work()
            moved = (self.bytes - before) / MIB_BYTES
            rate = moved / (trio.current_time() - began)
            cost = 1000 * (cpu_seconds_of([self.pid]) - used) / max(moved, 1.0)
            over.set()
        return result, rate, cost

    async def _ask(self, over: trio.Event, first: int) -> None:
        while not over.is_set() or self.blocks < first + len(self._chunks):
            cid = self._chunks[self._next]
            self._next = (self._next + 1) % len(self._chunks)
            block = await self._client.fetch(self._peer, cid, limit_bytes=2 * MIB_BYTES)
            assert block is not None
            assert CID.of(block) == cid
            self.blocks += 1
            self.bytes += len(block)


@dataclass
class Stage:
    """The node, who attacks it and who needs it."""

    pid: int
    node: Child
    attacker: Child
    requester: Requester
    peer: PeerInfo
    chunks: list[CID]

    def own_mib(self) -> float:
        """The node's anonymous memory: pages of its store are not its own."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
        raise AssertionError

    async def figures(self) -> dict[str, int]:
        await self.node.tell("figures")
        found: dict[str, int] = await self.node.hear()
        return found

    async def order(self, **order: Any) -> Any:
        await self.attacker.tell(json.dumps(order))
        return await self.attacker.hear()

    async def peak_mib(self, *, task_status: trio.TaskStatus[tuple[trio.CancelScope, list[float]]]) -> None:
        """Follow the node's memory until the scope is cancelled; the list holds the most there was."""
        peak = [self.own_mib()]
        with trio.CancelScope() as scope:
            task_status.started((scope, peak))
            while True:
                peak[0] = max(peak[0], self.own_mib())
                await trio.sleep(SAMPLE_S)


def honest_host() -> Host:
    return Host(HostSettings(listen=()), new_identity(), SystemClock(), EventBus(), "honest/1")


async def newcomer(stage: Stage) -> None:
    """Somebody who was not connected before comes for one block."""
    host, cid = honest_host(), stage.chunks[0]
    async with host.run():
        await host.connect(stage.peer)
        block = await BlockClient(host, ExchangeSettings()).fetch(stage.peer.peer, cid, limit_bytes=2 * MIB_BYTES)
        assert block is not None
        assert CID.of(block) == cid


@asynccontextmanager
async def staged(directory: Path) -> AsyncIterator[Stage]:
    limits, host = ExchangeSettings(), honest_host()
    async with child("tests.scenarios.attacked") as node, child("tests.scenarios.attacker") as attacker, host.run():
        await node.tell(str(directory))
        ready = await node.hear()
        peer, addr = parse_peer_address(ready["address"])
        info_of_node = PeerInfo(peer, (addr,))
        await host.connect(info_of_node)
        client = BlockClient(host, limits)
        root = CID.parse(ready["root"])
        manifest = await client.fetch(peer, root, limit_bytes=limits.max_manifest_bytes)
        assert manifest is not None
        info = FileInfo.parse(bytes(manifest))
        assert info.verify(root)
        chunks = list(info.chunk_cids)
        stage = Stage(ready["pid"], node, attacker, Requester(client, peer, chunks, ready["pid"]), info_of_node, chunks)
        assert await stage.order(target=ready["address"]) == {"ready": True}
        yield stage


async def measure(stage: Stage, name: str, quiet: float, work: Callable[[], Awaitable[Any]]) -> Row:
    """One attack, and after it the control that uses as much CPU."""
    async with trio.open_nursery() as nursery:
        before = stage.own_mib()
        watching, peak = await nursery.start(stage.peak_mib)
        nursery.start_soon(newcomer, stage)
        seen, attacked, attacked_cost = await stage.requester.during(work)
        growth = peak[0] - before
        watching.cancel()
    cores = min(1.0, seen.pop("cpu_s", 0.0) / seen.pop("seconds", 1.0))

    async def burn() -> Any:
        return await stage.order(burn=cores, seconds=CONTROL_S)

    _, control, control_cost = await stage.requester.during(burn)
    return Row(name, quiet, control, attacked, control_cost, attacked_cost, cores, growth, seen)


async def hold(stage: Stage) -> dict[str, Any]:
    """Have a reader that never reads and a peer that never answers, and give them time to be in the way."""
    held: dict[str, Any] = await stage.order(hold=[str(cid) for cid in stage.chunks[:HELD_REQUESTS]])
    await trio.sleep(ATTACK_S)
    return held


async def back_to(stage: Stage, before: dict[str, int]) -> dict[str, int]:
    """The figures once they are what they were, or when that has taken too long."""
    now = await stage.figures()
    with trio.move_on_after(COME_BACK_S):
        while any(now[what] > before[what] for what in before):
            await trio.sleep(SAMPLE_S)
            now = await stage.figures()
    return now


def show(rows: list[Row]) -> None:
    print("\n  MiB/s of an honest requester: alone, beside a process with the attacker's CPU share, under attack")
    for row in rows:
        rates = f"{row.quiet:6.0f} {row.control:6.0f} {row.attacked:6.0f}  {row.to_control:5.2f} x control"
        others = f"cores: attacker {row.attacker_cores:4.2f}, node {row.node_cores:4.2f} for it"
        print(f"  {row.attack:36} {rates}; {others}; {row.growth_mib:+6.1f} MiB; {row.seen}")
    target = os.environ.get("CHIRAL_ATTACK_REPORT")
    if target:
        shown = [{**asdict(row), "to_control": row.to_control, "node_cores": row.node_cores} for row in rows]
        Path(target).write_text(json.dumps(shown, indent=2))


async def test_others_are_served_while_one_attacks(tmp_path: Path) -> None:
    rows = []
    async with staged(tmp_path) as stage:

        async def pause() -> None:
            await trio.sleep(CONTROL_S)

        await stage.requester.during(pause)  # buffers and windows reach the size that the work takes
        before = await stage.figures()
        start = stage.own_mib()
        _, quiet, _ = await stage.requester.during(pause)
        rows.append(await measure(stage, "a reader that never reads, a mute", quiet, lambda: hold(stage)))
        for name in (WITHIN, *FLOODS):
            _, quiet, _ = await stage.requester.during(pause)

            async def attack(name: str = name) -> Any:
                return await stage.order(attack=name, seconds=ATTACK_S)

            rows.append(await measure(stage, name, quiet, attack))
        held = await stage.order(held=COME_BACK_S)
        after = await back_to(stage, before)
        rest = stage.own_mib() - start
    show(rows)
    print("  figures before", before, "after", after, f"memory {rest:+.1f} MiB")
    assert held == {"ended": 2, "of": 2}
    assert all(after[what] <= before[what] for what in before)
    assert max(row.growth_mib for row in rows) <= GROWTH_MIB
    assert rest <= GROWTH_MIB
    for row in rows:
        if row.attack in FLOODS:
            assert set(map(int, row.seen["errors"])) == set(range(len(FLOODS[row.attack]))), row
            assert row.seen["cut"] == 0, row
