"""Puts the parts of a DHT node together: which part is given which other. Runs nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chiral.clock import Clock
from chiral.interface.providers import ProviderStore
from chiral.interface.streams import Connections, Streams
from chiral.interface.values import ValueStore
from chiral.kad.validation import Validators
from chiral.routing.announcer import Announcer
from chiral.routing.client import KadClient
from chiral.routing.identify import IdentifyWatch
from chiral.routing.joining import Joining
from chiral.routing.overlay import Overlay
from chiral.routing.own_keys import OwnKeys
from chiral.routing.queries import Queries
from chiral.routing.responder import Responder, Stores
from chiral.routing.server import KadServer
from chiral.routing.settings import KadSettings
from chiral.routing.stats import QueryCounter
from chiral.routing.upkeep import Upkeep
from chiral.routing.values import Values


@dataclass(frozen=True, slots=True)
class Ports:
    """What a DHT node stands on. `noise` gives 256 random bits, for the keys that refresh buckets."""

    streams: Streams
    connections: Connections
    providers: ProviderStore
    values: ValueStore
    clock: Clock
    validators: Validators
    noise: Callable[[], int]


class Assembly:
    """The parts of one DHT node, wired. It serves from its construction on, so that identify names the protocols."""

    def __init__(self, ports: Ports, settings: KadSettings) -> None:
        clock, connections = ports.clock, ports.connections
        stores = (ports.providers, ports.values)
        self.counter = QueryCounter()
        self.own = OwnKeys(republish_s=settings.republish_s, retry_s=settings.retry_s)
        self.watch = IdentifyWatch(connections)
        self.queries = tuple(
            _new_queries(ports, settings, protocol, self.counter) for protocol in dict.fromkeys(settings.protocols)
        )
        self.responder = Responder(
            Stores(*stores, self.own), ports.validators, connections, self.watch, clock, settings
        )
        self.announcer = Announcer(self.queries, self.own, clock, settings)
        self.joining = Joining(self.queries, connections, clock, settings, ports.noise)
        self.upkeep = Upkeep(self.queries, self.joining, self.announcer, self.own, stores, clock, settings)
        self.values = Values(self.queries, ports.validators, ports.values, clock, settings)
        if settings.mode == "server":
            server = KadServer(self.responder, settings)
            for queries in self.queries:
                server.serve(ports.streams, queries.overlay)


def _new_queries(ports: Ports, settings: KadSettings, protocol: str, counter: QueryCounter) -> Queries:
    overlay = Overlay(ports.streams.local_peer, protocol, ports.connections, ports.clock, settings)
    client = KadClient(ports.streams, ports.connections, protocol, settings)
    return Queries(overlay, client, ports.clock, settings, counter)
