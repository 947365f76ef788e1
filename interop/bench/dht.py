"""The DHT in a swarm of 25 real nodes: announcing many keys, searches with all alive and with a third killed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from itertools import product

import trio

from interop.bench import dht_works as works
from interop.bench.rounds import Turn, take_turns
from interop.bench.run import NAMES, Run
from interop.bench.work import GO, PYTHON, TMPFS, Sample
from interop.dht.keys import numbered_cids
from interop.dht.latency import Provided, search
from interop.dht.swarm import DhtSwarm, Plan, open_swarm
from interop.dht.truth import quantile
from interop.kinds import Kind

_HOUSES = (5, 5, 4, 1)
_OTHERS = {Kind.RUST_NEWEST: 4, Kind.RUST_054: 2, Kind.GO: 4}
_SEEKERS = (Kind.PYTHON, Kind.GO, Kind.RUST_NEWEST)
_ONE_BY_ONE = 100
"""Keys, which take a lookup each: a figure a key needs no more of them."""
_LOOKUPS = 40
_DEAD_SHARE = 0.3
_ROUNDS = 3


async def measure(run: Run) -> None:
    """Rounds on one swarm, which grows fuller of records, as one in use does; then it loses a third at once."""
    others = {kind: count for kind, count in _OTHERS.items() if run.has(kind)}
    missing = sum(_OTHERS.values()) - sum(others.values())
    houses = [*_HOUSES[:-1], *([missing] if missing else []), _HOUSES[-1]]
    folder = run.folder(TMPFS, "dht")
    try:
        async with open_swarm(Plan(houses, others, durable=True), folder) as swarm:
            await _Bench(run, swarm).play()
    finally:
        await trio.to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))


class _Bench:
    """The turns. The last Python node has a process to itself and announces; it is not among those killed."""

    def __init__(self, run: Run, swarm: DhtSwarm) -> None:
        self._run = run
        self._swarm = swarm
        self._announcer = swarm.of(Kind.PYTHON)[-1]
        self._kinds = [kind for kind in _SEEKERS if run.has(kind)]
        self._provided: dict[tuple[str, Kind, int], list[Provided]] = {}

    async def play(self) -> None:
        rounds = min(_ROUNDS, self._run.options.rounds)
        announcing = [Turn("dht, announce", self._announce_many), Turn("dht, one by one", self._announce_one_by_one)]
        if self._run.has(Kind.GO):
            announcing.append(Turn("dht, Go announces", self._announce_by_go))
        await take_turns(self._run, announcing, rounds=rounds, warm_up=False)
        for state, kind, number in product(works.STATES, self._kinds, range(rounds + 1)):
            await self._prepare(state, kind, number)
        await take_turns(self._run, self._searches(works.ALL_ALIVE), rounds=rounds)
        doomed = self._swarm.doomed(_DEAD_SHARE, [self._announcer, self._swarm.members[0]])
        self._swarm.kill(doomed)
        await take_turns(self._run, self._searches(works.KILLED), rounds=rounds, warm_up=False)

    async def _announce_many(self, number: int) -> Sequence[Sample]:
        """All keys in one call, as a node does that has added many files."""
        return await self._announce(PYTHON, works.MANY, f"many-{number}")

    async def _announce_one_by_one(self, number: int) -> Sequence[Sample]:
        """A call for each key, the next when the last is done: what a lookup for each costs."""
        return await self._announce(works.ONE_BY_ONE, _ONE_BY_ONE, f"single-{number}", "one-by-one")

    async def _announce(self, who: str, count: int, seed: str, *how: str) -> Sequence[Sample]:
        reply = await self._announcer.command("provide-many", seed, str(count), *how)
        asked = reply["requests"].get("FIND_NODE", 0)
        told = reply["requests"].get("ADD_PROVIDER", 0)
        return [
            Sample(works.ANNOUNCED, who, count / reply["seconds"]),
            Sample(works.FIND_NODES, who, asked / count),
            Sample(works.ADD_PROVIDERS, who, told / count),
            Sample(works.STORED, who, reply["stored_mean"]),
        ]

    async def _announce_by_go(self, number: int) -> Sequence[Sample]:
        """The Go peer announces a CID under two keys, one after the other."""
        provider = self._swarm.of(Kind.GO)[0]
        cids = list(numbered_cids(f"go-{number}", _ONE_BY_ONE // 2))
        started = trio.current_time()
        for cid in cids:
            await provider.provide(str(cid))
        return [Sample(works.ANNOUNCED, GO, 2 * len(cids) / (trio.current_time() - started))]

    def _searches(self, state: str) -> list[Turn]:
        return [Turn(f"dht, {state}, {NAMES[kind]}", partial(self._search, state, kind)) for kind in self._kinds]

    async def _prepare(self, state: str, kind: Kind, number: int) -> None:
        """Announce what a turn will look for: all of it before anybody dies, and nothing is looked for twice."""
        seed = f"{state.replace(' ', '-')}-{kind}-{number}"
        await self._announcer.command("provide-many", seed, str(_LOOKUPS))
        provider = self._announcer.peer_id
        self._provided[state, kind, number] = [Provided(str(cid), provider) for cid in numbered_cids(seed, _LOOKUPS)]

    async def _search(self, state: str, kind: Kind, number: int) -> Sequence[Sample]:
        """Searches to their end by nodes of a kind; one that finds nobody is a failure of the turn."""
        seekers = [member for member in self._swarm.of(kind) if member is not self._announcer]
        lookups = await search(seekers, self._provided[state, kind, number], _LOOKUPS)
        if lost := sum(not lookup.found for lookup in lookups):
            raise OSError(f"{lost} of {len(lookups)} searches did not find the provider")
        took = [lookup.seconds * 1000 for lookup in lookups]
        shares = ((works.search_p50, 0.5), (works.search_p95, 0.95))
        return [Sample(work(state), NAMES[kind], quantile(took, share)) for work, share in shares]
