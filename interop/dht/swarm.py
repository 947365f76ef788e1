"""A swarm of DHT servers of all kinds, real processes on loopback, joined through its first node."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import base58
import trio

from interop.child import PeerError, running
from interop.dht.asker import Asker, open_asker
from interop.dht.member import Member
from interop.dht.truth import REPLICATION, closest, neighbours
from interop.kinds import BUILT, Kind
from interop.line_peer import LinePeer, open_line_peer

SETTLE_S = 180.0
HOLD_S = 10.0
"""A record without addresses is kept once identify has told them, seconds after its provider is done."""
NEIGHBOURS = REPLICATION - 1
"""How many of the closest to itself each peer must know: one less than it may name, lest it names who asks."""
_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Plan:
    """How many nodes each process of Python nodes has, and how many peers of other kinds there are."""

    houses: Sequence[int]
    others: Mapping[Kind, int] = field(default_factory=dict)
    options: Mapping[Kind, Sequence[str]] = field(default_factory=dict)
    durable: bool = False

    @property
    def size(self) -> int:
        """Peers in all."""
        return sum(self.houses) + sum(self.others.values())


class DhtSwarm:
    """The running peers. `members[0]` is whom all others joined through."""

    def __init__(self, asker: Asker) -> None:
        self.asker = asker
        self.members: list[Member] = []

    def of(self, kind: Kind) -> list[Member]:
        """The living peers of one kind."""
        return [member for member in self.members if member.kind is kind]

    @property
    def ids(self) -> list[str]:
        """The ids of the living."""
        return [member.peer_id for member in self.members]

    def truth(self, key: bytes, provider: Member) -> set[str]:
        """Who ought to hold the record of `provider` for `key`: the closest of all others."""
        return set(closest(key, (peer for peer in self.ids if peer != provider.peer_id)))

    async def holders(self, key: bytes, provider: Member) -> set[str]:
        """Who does hold it of all others, as each says itself."""
        addrs = [member.addr for member in self.members if member is not provider]
        return await self.asker.holders(addrs, key, provider.peer_id)

    async def holders_in_time(self, key: bytes, provider: Member, wanted: set[str]) -> set[str]:
        """The holders, asked again and again until all `wanted` are among them, ten seconds at most."""
        holding: set[str] = set()
        with trio.move_on_after(HOLD_S):
            while not wanted <= (holding := await self.holders(key, provider)):  # noqa: ASYNC110
                await trio.sleep(_PAUSE_S)
        return holding

    async def settled(self) -> None:
        """Return once every peer knows the peers closest to itself; raises `PeerError` if that takes minutes."""
        missing: dict[str, list[str]] = {}
        with trio.move_on_after(SETTLE_S):
            while True:
                missing = {}
                for member in self.members:
                    if lacking := await self._lacking(member):
                        missing[str(member)] = lacking
                if not missing:
                    return
                await trio.sleep(_PAUSE_S)
        raise PeerError(f"the swarm did not come together within {SETTLE_S:.0f} s; neighbours not known: {missing}")

    async def _lacking(self, member: Member) -> list[str]:
        """Those of the closest to itself that a peer does not know."""
        others = (peer for peer in self.ids if peer != member.peer_id)
        wanted = set(neighbours(member.peer_id, others, NEIGHBOURS))
        lacking = wanted - await self.asker.closest(member.addr, base58.b58decode(member.peer_id))
        excused = {Kind.RUST_054} if member.kind is Kind.GO else set()  # it takes in nobody who closes at once
        return [str(other) for other in self.members if other.peer_id in lacking and other.kind not in excused]

    def doomed(self, share: float, spared: Collection[Member]) -> list[Member]:
        """At least that share of the nodes: one of each other kind, then whole processes of Python nodes from the end.

        Not among them are `spared` and who shares a process with those. Raises `ValueError` if that leaves too few.
        """
        safe = {member.process.pid for member in spared}
        doomed = [of_kind[-1] for kind in BUILT if (of_kind := self.of(kind))]
        houses: dict[int, list[Member]] = {}
        for member in reversed(self.of(Kind.PYTHON)):
            if member.process.pid not in safe:
                houses.setdefault(member.process.pid, []).append(member)
        for house in houses.values():
            if len(doomed) < share * len(self.members):
                doomed += house
        if len(doomed) < share * len(self.members):
            raise ValueError("too few may be killed")
        return doomed

    def kill(self, members: Iterable[Member]) -> None:
        """End the processes of `members` at once, and with them whoever shares those."""
        processes = {member.process.pid: member.process for member in members}
        for process in processes.values():
            process.kill()
        self.members = [member for member in self.members if member.process.pid not in processes]


@asynccontextmanager
async def open_swarm(plan: Plan, folder: Path) -> AsyncIterator[DhtSwarm]:
    """All of the plan, running and settled; their data and logs in `folder`."""
    async with AsyncExitStack() as stack:
        swarm = DhtSwarm(await stack.enter_async_context(open_asker()))
        first, *houses = plan.houses
        swarm.members += await stack.enter_async_context(_house(folder / "house-0", first, [], durable=plan.durable))
        known = [swarm.members[0].addr]
        for number, count in enumerate(houses, start=1):
            opening = _house(folder / f"house-{number}", count, known, durable=plan.durable)
            swarm.members += await stack.enter_async_context(opening)
        for kind, count in plan.others.items():
            for number in range(count):
                opened = _single(kind, folder / f"{kind}-{number}", known, plan.options.get(kind, ()))
                swarm.members.append(await stack.enter_async_context(opened))
        await swarm.settled()
        yield swarm


@asynccontextmanager
async def _house(folder: Path, count: int, known: Sequence[str], *, durable: bool) -> AsyncIterator[list[Member]]:
    """A process of several Python nodes."""
    await trio.Path(folder).mkdir(parents=True)
    command = [sys.executable, "-m", "interop.dht.house", "--data", str(folder / "data"), "--count", str(count)]
    command += [word for addr in known for word in ("--bootstrap", addr)] + ["--durable"] * durable
    async with running(command, folder / "log") as child, trio.open_nursery() as nursery:
        process = LinePeer(Kind.PYTHON, child)
        nursery.start_soon(process.read_replies)
        nodes = (await process.command("nodes"))["nodes"]
        yield [
            Member(Kind.PYTHON, node["peer_id"], node["addrs"][0], process, number) for number, node in enumerate(nodes)
        ]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _single(kind: Kind, folder: Path, known: Sequence[str], options: Sequence[str]) -> AsyncIterator[Member]:
    """A Rust or Go peer."""
    await trio.Path(folder).mkdir(parents=True)
    async with open_line_peer(kind, folder, known, options) as process:
        yield Member(kind, process.peer_id, process.addrs[0], process)
