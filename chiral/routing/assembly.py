"""Puts the parts of a DHT node together: which part is given which other. Runs nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chiral.clock import Clock
from chiral.interface.datastore import Datastore
from chiral.interface.providers import ProviderStore
from chiral.interface.streams import Connections, Streams
from chiral.interface.values import ValueStore
from chiral.kad.schedule import Schedule
from chiral.kad.validation import Validators
from chiral.routing.announcer import Announcer
from chiral.routing.client import KadClient
from chiral.routing.identify import IdentifyWatch
from chiral.routing.joining import Joining
from chiral.routing.latencies import Latencies
from chiral.routing.overlay import Overlay
from chiral.routing.own_keys import OwnKeys
from chiral.routing.provider_cache import ProviderCache
from chiral.routing.provider_search import SearchParts
from chiral.routing.queries import Queries
from chiral.routing.refusals import RefusalCounter
from chiral.routing.responder import Responder, Stores
from chiral.routing.revival import Revival
from chiral.routing.saved_table import SavedTable
from chiral.routing.server import KadServer
from chiral.routing.serving import Serving
from chiral.routing.settings import KadSettings
from chiral.routing.stats import QueryCounter
from chiral.routing.table_care import TableCare
from chiral.routing.upkeep import Upkeep
from chiral.routing.value_records import ValueRecords
from chiral.routing.value_republishing import Renewers
from chiral.routing.value_shelf import ValueShelf


@dataclass(frozen=True, slots=True)
class Ports:
    """What a DHT node stands on. `noise` gives 256 random bits, for the keys that refresh buckets."""

    streams: Streams
    connections: Connections
    providers: ProviderStore
    values: ValueStore
    datastore: Datastore
    clock: Clock
    validators: Validators
    noise: Callable[[], int]
    renewers: Renewers


class Assembly:
    """The parts of one DHT node, wired. It serves from its construction on, so that identify names the protocols."""

    def __init__(self, ports: Ports, settings: KadSettings) -> None:
        clock, connections = ports.clock, ports.connections
        stores = (ports.providers, ports.values)
        shelf = ValueShelf(ports.values, ports.validators, clock, settings.value_ttl_s)
        self.counter = QueryCounter()
        self.refusals = RefusalCounter()
        self.latencies = Latencies()
        schedule = Schedule.of_node(settings.republish_s, ports.streams.local_peer)
        self.own = OwnKeys(ports.datastore, schedule, retry_s=settings.retry_s)
        self.watch = IdentifyWatch(connections)
        self.queries = tuple(
            _new_queries(ports, settings, protocol, self.counter, self.latencies)
            for protocol in dict.fromkeys(settings.protocols)
        )
        self.responder = Responder(Stores(ports.providers, shelf, self.own), connections, self.watch, clock, settings)
        self.announcer = Announcer(self.queries, self.own, clock, settings)
        cache = ProviderCache(ttl_s=settings.provider_cache_s, limit=settings.provider_cache_records)
        self.searches = SearchParts(self.queries, self.responder, cache, clock)
        server = KadServer(self.responder, settings, clock, self.refusals)
        overlays = [queries.overlay for queries in self.queries]
        self.serving = Serving(settings.mode, server, overlays, ports.streams, connections)
        self.joining = Joining(self.queries, connections, clock, settings, ports.noise)
        self.upkeep = Upkeep(self._table_care(ports, settings), self.announcer, stores, clock, settings)
        self.values = ValueRecords(self.queries, shelf, ports.datastore, clock, settings, ports.renewers)

    def _table_care(self, ports: Ports, settings: KadSettings) -> TableCare:
        saved = [SavedTable(ports.datastore, queries.overlay.protocol, settings.table) for queries in self.queries]
        revival = Revival(self.queries, saved, self.joining, ports.connections, ports.clock, settings)
        return TableCare(self.queries, self.joining, revival, self.serving, ports.clock, settings)


def _new_queries(
    ports: Ports, settings: KadSettings, protocol: str, counter: QueryCounter, latencies: Latencies
) -> Queries:
    overlay = Overlay(ports.streams.local_peer, protocol, ports.connections, ports.clock, settings)
    client = KadClient(ports.streams, ports.connections, protocol, settings)
    return Queries(overlay, client, ports.clock, settings, counter, latencies)
