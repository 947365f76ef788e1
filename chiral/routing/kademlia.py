"""The DHT as the rest of the node sees it: joins the parts of this room behind the `Routing` port."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType

import trio

from chiral.clock import Clock
from chiral.errors import UsageError
from chiral.interface.datastore import Datastore
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.providers import FoundProvider, ProviderStore
from chiral.interface.routing import ProvideResult
from chiral.interface.streams import Connections, Streams
from chiral.interface.values import RecordFound, RecordPut, ValueStore
from chiral.kad.quorum import Quorum
from chiral.kad.server import MAX_KEY_BYTES
from chiral.kad.validation import NO_VALIDATORS, Validators
from chiral.routing.assembly import Assembly, Ports
from chiral.routing.census import Census, TablePeer
from chiral.routing.joining import BootstrapReport
from chiral.routing.peer_search import PeerSearch
from chiral.routing.provider_search import ProviderSearch
from chiral.routing.search_tasks import SearchTasks
from chiral.routing.settings import KadSettings
from chiral.routing.stats import KadStats
from chiral.routing.value_republishing import Renewers

DEFAULT_QUORUM = 3
NO_RENEWERS: Renewers = MappingProxyType({})


def _noise() -> int:
    return secrets.randbits(256)


class Kademlia:
    """`Routing` over the Kademlia DHT. Serves from its construction on, so that identify names the protocol at once;
    `run` must be running for `find_providers` and all upkeep.
    """

    def __init__(
        self,
        *,
        streams: Streams,
        connections: Connections,
        providers: ProviderStore,
        values: ValueStore,
        datastore: Datastore,
        clock: Clock,
        settings: KadSettings | None = None,
        validators: Validators = NO_VALIDATORS,
        renewers: Renewers = NO_RENEWERS,
        noise: Callable[[], int] = _noise,
    ) -> None:
        settings = settings or KadSettings()
        self._streams = streams
        self._connections = connections
        ports = Ports(streams, connections, providers, values, datastore, clock, validators, noise, renewers)
        parts = Assembly(ports, settings)
        self._queries, self._watch = parts.queries, parts.watch
        self._responder, self._announcer, self._values = parts.responder, parts.announcer, parts.values
        self._searches, self._search_tasks = parts.searches, SearchTasks()
        self._peer_search = PeerSearch(streams.local_peer, parts.queries, connections, settings)
        self._census = Census(ports, parts)
        self._joining, self._upkeep = parts.joining, parts.upkeep
        self.serving = parts.serving
        """Whether this node is a server of the DHT or only a client; to be told what is found of its reachability."""
        connections.on_identified(self._identified)

    def _identified(self, peer: PeerId) -> None:
        protocols = self._connections.protocols_of(peer)
        had_peers = self._has_peers()
        for queries in self._queries:
            queries.overlay.identified(peer, protocols)
        if not had_peers and self._has_peers():
            self._upkeep.peers_appeared()
        self._watch.notify(peer)

    def _has_peers(self) -> bool:
        return any(len(queries.overlay.table) for queries in self._queries)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the tables and the announcements up, and own the searches under way, until cancelled."""
        async with trio.open_nursery() as nursery:
            with self._search_tasks.hosted(nursery):
                nursery.start_soon(self._values.run)
                task_status.started()
                await self._upkeep.run()

    async def bootstrap(self, peers: Sequence[PeerInfo]) -> BootstrapReport:
        """Join the network through `peers`, or through those of all calls before if none are given.

        Whenever every routing table is empty, all that were ever given are gone back to.
        """
        given = {info.peer: info for info in peers if info.peer != self._streams.local_peer}
        known = {info.peer: info for info in self._upkeep.bootstrap_peers}
        self._upkeep.bootstrap_peers = tuple({**known, **given}.values())
        report = await self._joining.join(tuple(given.values()) if peers else self._upkeep.bootstrap_peers)
        if not self._has_peers():
            await self._upkeep.revived()
        if self._has_peers():
            self._upkeep.peers_appeared()
        return report

    async def provide(self, keys: Sequence[bytes], *, by_hand: bool = True) -> list[ProvideResult]:
        """Announce that this node holds `keys`, and keep announcing them; the results are in order, each key once.

        Those `by_hand` stay whatever `provide_only` is given. Raises `UsageError` for a key of a wrong size.
        """
        return await self._announcer.announce([_checked(key) for key in dict.fromkeys(keys)], by_hand=by_hand)

    async def schedule(self, keys: Collection[bytes]) -> None:
        """Have `keys` announced behind, new ones before all others, and kept announced; raises as `provide`."""
        await self._announcer.schedule([_checked(key) for key in keys])

    async def provide_only(self, batches: AsyncIterable[Collection[bytes]]) -> int:
        """Keep announced what `batches` give and what was provided by hand, and nothing else.

        What was announced lately is not announced anew. Returns how many keys are provided no longer; raises what
        `batches` raise, and a `LocalError` if the store fails.
        """
        return await self._announcer.provide_only(batches)

    async def stop_providing(self, keys: Sequence[bytes]) -> None:
        """Announce `keys` no longer; what others keep expires there by itself."""
        await self._announcer.stop(keys)

    async def find_provider_records(
        self, keys: Sequence[bytes], count: int, timeout_s: float
    ) -> AsyncGenerator[FoundProvider, None]:
        """Providers of any of `keys` as they are found, local records first, each peer once and never this one.

        Ends after `count` of them or `timeout_s` seconds. Use it under `contextlib.aclosing`. Raises `UsageError` for a
        key of a wrong size, `LocalError` if `run` is not running or the store fails.
        """
        wanted = [_checked(key) for key in dict.fromkeys(keys)]

        async def search(send: trio.MemorySendChannel[FoundProvider]) -> None:
            await ProviderSearch(self._searches, count, send).run(wanted, timeout_s)

        async with aclosing(self._search_tasks.stream(search, count)) as found:
            async for one in found:
                yield one

    async def find_providers(
        self, keys: Sequence[bytes], count: int, timeout_s: float
    ) -> AsyncGenerator[PeerInfo, None]:
        """The peers of `find_provider_records` alone."""
        async with aclosing(self.find_provider_records(keys, count, timeout_s)) as found:
            async for one in found:
                yield one.info

    async def find_peer(self, peer: PeerId) -> PeerInfo | None:
        """The peer's addresses: those of a live connection's peer at once, else what the DHT and this node know."""
        return await self._peer_search.find(peer)

    async def closest_peers(self, key: bytes) -> list[PeerInfo]:
        """The k closest live peers to `key` that lookups in all overlays find, nearest first; not this one.

        Raises `UsageError` for a key of a wrong size.
        """
        return await self._peer_search.closest(_checked(key))

    async def put_record(self, key: bytes, value: bytes, *, quorum: Quorum = "one") -> RecordPut:
        """Store the value here and at the peers closest to the key, and again in time before it expires.

        Raises `QuorumError` if fewer of those peers took it than `quorum` says; `UsageError` if no validator of the
        key's name space takes the value, a newer one stands here, or it is over what a message holds.
        """
        return await self._values.put(_checked(key), value, quorum=quorum)

    async def get_record(self, key: bytes, *, quorum: Quorum = DEFAULT_QUORUM) -> RecordFound | None:
        """The best record among the first that satisfy `quorum`, this node's own being one; None if nobody has any.

        Peers that told of a worse one are given it behind. Raises `UsageError` if the key's name space has no
        validator.
        """
        return await self._values.get(_checked(key), quorum=quorum)

    async def publish_records(self, values: Mapping[bytes, bytes]) -> None:
        """Have records put behind, many at once, and kept published, also after a restart; raises `UsageError`."""
        await self._values.publish({_checked(key): value for key, value in values.items()})

    async def withdraw_records(self, keys: Sequence[bytes]) -> None:
        """Publish the records of `keys` no longer."""
        await self._values.withdraw(keys)

    async def stats(self) -> KadStats:
        """How the DHT stands now; raises a `LocalError` if a store fails."""
        return await self._census.take()

    def table(self) -> list[TablePeer]:
        """The peers of every routing table, a protocol after another, farthest bucket first."""
        return self._census.table()


def _checked(key: bytes) -> bytes:
    if not 0 < len(key) <= MAX_KEY_BYTES:
        raise UsageError(f"a DHT key of {len(key)} bytes; it must have 1 to {MAX_KEY_BYTES}")
    return key
