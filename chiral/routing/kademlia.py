"""The DHT as the rest of the node sees it: joins the parts of this room behind the `Routing` port."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from types import MappingProxyType

import trio

from chiral.clock import Clock
from chiral.errors import LocalError, UsageError
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.providers import ProviderStore
from chiral.interface.routing import ProvideResult
from chiral.interface.streams import Connections, Streams
from chiral.interface.values import ValueStore
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType
from chiral.kad.server import MAX_KEY_BYTES
from chiral.kad.validation import Validators
from chiral.routing.assembly import Assembly, Ports
from chiral.routing.joining import BootstrapReport
from chiral.routing.provider_search import ProviderSearch
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings
from chiral.routing.stats import KadStats, OverlayStats

DEFAULT_QUORUM = 3
NO_VALIDATORS: Validators = MappingProxyType({})


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
        clock: Clock,
        settings: KadSettings | None = None,
        validators: Validators = NO_VALIDATORS,
        noise: Callable[[], int] = _noise,
    ) -> None:
        self._settings = settings = settings or KadSettings()
        self._streams = streams
        self._connections = connections
        self._providers = providers
        self._value_store = values
        parts = Assembly(Ports(streams, connections, providers, values, clock, validators, noise), settings)
        self._queries, self._own, self._watch = parts.queries, parts.own, parts.watch
        self._responder, self._announcer, self._values = parts.responder, parts.announcer, parts.values
        self._joining, self._upkeep, self._counter = parts.joining, parts.upkeep, parts.counter
        self._nursery: trio.Nursery | None = None
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
            self._nursery = nursery
            try:
                task_status.started()
                await self._upkeep.run()
            finally:
                self._nursery = None

    async def bootstrap(self, peers: Sequence[PeerInfo]) -> BootstrapReport:
        """Join the network through `peers`; they are gone back to whenever every routing table is empty."""
        self._upkeep.bootstrap_peers = tuple(info for info in peers if info.peer != self._streams.local_peer)
        report = await self._joining.join(self._upkeep.bootstrap_peers)
        if self._has_peers():
            self._upkeep.peers_appeared()
        return report

    async def provide(self, keys: Sequence[bytes]) -> list[ProvideResult]:
        """Announce that this node holds `keys`, and keep announcing them; the results are in order, each key once.

        Raises `UsageError` for a key of a wrong size.
        """
        wanted = [_checked(key) for key in dict.fromkeys(keys)]
        try:
            return await self._announcer.announce(wanted)
        finally:
            # Cancelled in the middle, the rest is due again before anything else may be.
            self._upkeep.keys_changed()

    async def stop_providing(self, keys: Sequence[bytes]) -> None:
        """Announce `keys` no longer; what others keep expires there by itself."""
        await trio.lowlevel.checkpoint()
        self._own.remove(keys)

    async def find_providers(
        self, keys: Sequence[bytes], count: int, timeout_s: float
    ) -> AsyncGenerator[PeerInfo, None]:
        """Providers of any of `keys` as they are found, local records first, each peer once and never this one.

        Raises `UsageError` for a key of a wrong size, `LocalError` if `run` is not running or the store fails.
        """
        wanted = [_checked(key) for key in dict.fromkeys(keys)]
        if self._nursery is None:
            raise LocalError("the DHT is not running")
        if count < 1:
            return
        send, receive = trio.open_memory_channel[PeerInfo](count)
        search = ProviderSearch(self._queries, self._responder, count, send)
        scope = trio.CancelScope()
        faults: list[LocalError] = []

        async def run() -> None:
            # A task of its own in the node's nursery: a generator that is left in the middle must not leave a nursery
            # or a cancel scope open around its caller.
            with scope:
                try:
                    await search.run(wanted, timeout_s)
                except LocalError as error:
                    faults.append(error)

        self._nursery.start_soon(run)
        try:
            async for info in receive:
                yield info
        finally:
            scope.cancel()
            receive.close()
        if faults:
            raise faults[0]

    async def find_peer(self, peer: PeerId) -> PeerInfo | None:
        """The peer's addresses: those of a live connection's peer at once, else what the DHT and this node know."""
        if peer == self._streams.local_peer:
            return PeerInfo(peer, self._connections.listen_addrs())
        known = self._connections.addrs_of(peer)
        if known and self._connections.is_connected(peer):
            return PeerInfo(peer, known)
        async with trio.open_nursery() as nursery:
            for queries in self._queries:
                nursery.start_soon(self._find_peer_in, queries, peer)
        known = self._connections.addrs_of(peer)
        return PeerInfo(peer, known) if known else None

    async def _find_peer_in(self, queries: Queries, peer: PeerId) -> None:
        def on_answer(_: PeerId, message: Message) -> bool:
            told = [info for info in queries.overlay.learn(message.closer) if info.peer == peer and info.addrs]
            for info in told:
                queries.overlay.remember(info)
            return bool(told)

        await queries.seek(Message(MessageType.FIND_NODE, peer.raw), on_answer)

    async def closest_peers(self, key: bytes) -> list[PeerInfo]:
        """The k closest live peers to `key` that lookups in all overlays find, nearest first; not this one."""
        target = KadKey.of(_checked(key))
        found: set[PeerId] = set()

        async def search(queries: Queries) -> None:
            found.update((await queries.seek(Message(MessageType.FIND_NODE, key))).closest())

        async with trio.open_nursery() as nursery:
            for queries in self._queries:
                nursery.start_soon(search, queries)
        nearest = sorted(found, key=lambda peer: target.distance(KadKey.of(peer.raw)))[: self._settings.k]
        return [PeerInfo(peer, self._connections.addrs_of(peer)) for peer in nearest]

    async def put_value(self, key: bytes, value: bytes) -> ProvideResult:
        """Store the value here and at the peers closest to the key.

        Raises `UsageError` if no validator of the key's name space takes the value, or it is over what a message holds.
        """
        return await self._values.put(_checked(key), value)

    async def get_value(self, key: bytes, *, quorum: int = DEFAULT_QUORUM) -> bytes | None:
        """The best valid value among the first `quorum` found, this node's own being one; None if nobody has any.

        Raises `UsageError` if the key's name space has no validator.
        """
        return await self._values.get(_checked(key), quorum=quorum)

    async def stats(self) -> KadStats:
        """How the DHT stands now."""
        return KadStats(
            overlays=tuple(
                OverlayStats(q.overlay.protocol, len(q.overlay.table), q.overlay.table.counts()) for q in self._queries
            ),
            provider_records=await self._providers.count(),
            value_records=await self._value_store.count(),
            own_announced=len(self._own),
            own_pending=self._own.pending,
            queries_active=self._counter.active,
            queries_done=self._counter.done,
            queries_failed=self._counter.failed,
            last_refresh=self._joining.last_refresh,
        )


def _checked(key: bytes) -> bytes:
    if not 0 < len(key) <= MAX_KEY_BYTES:
        raise UsageError(f"a DHT key of {len(key)} bytes; it must have 1 to {MAX_KEY_BYTES}")
    return key
