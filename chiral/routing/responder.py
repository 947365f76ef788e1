"""Answers single requests of other peers out of the stores and the routing table. Streams are the server's."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from chiral.clock import Clock
from chiral.interface.peer import PeerId
from chiral.interface.providers import ProviderLimits, ProviderRecord, ProviderStore
from chiral.interface.streams import Connections
from chiral.kad.addresses import clean_addrs
from chiral.kad.hearsay import credible
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, PeerEntry, Record
from chiral.kad.server import (
    Echo,
    FindPeers,
    FindProviders,
    FindValue,
    KeepProvider,
    KeepValue,
    answer,
    closer_peers,
)
from chiral.routing.identify import IdentifyWatch
from chiral.routing.overlay import Overlay
from chiral.routing.settings import KadSettings
from chiral.routing.value_shelf import ValueShelf

Answered = FindPeers | FindProviders | FindValue | KeepValue | Echo


@dataclass(frozen=True, slots=True)
class Stores:
    """What the DHT keeps: provider records and values of others, and the keys this node provides itself."""

    providers: ProviderStore
    values: ValueShelf
    own: Container[bytes]


class Responder:
    """What this node answers; the same for every overlay but for the closer peers."""

    def __init__(
        self,
        stores: Stores,
        connections: Connections,
        watch: IdentifyWatch,
        clock: Clock,
        settings: KadSettings,
    ) -> None:
        self._stores = stores
        self._connections = connections
        self._watch = watch
        self._clock = clock
        self._settings = settings

    async def answer(self, overlay: Overlay, asker: PeerId, request: Message, plan: Answered) -> Message:
        """The reply to `request`; raises `ProtocolError` or `LimitExceededError` for a value that is refused."""
        if isinstance(plan, Echo):
            return request
        if isinstance(plan, KeepValue):
            await self._stores.values.keep(plan.record)
            return answer(request, record=Record(plan.record.key, plan.record.value))
        closer = self._closer(overlay, asker, plan.key)
        if isinstance(plan, FindProviders):
            return answer(request, closer=closer, providers=await self._providers(overlay, plan.key))
        if isinstance(plan, FindValue):
            return answer(request, closer=closer, record=await self._stores.values.told(plan.key))
        return answer(request, closer=self._with_target(overlay, plan.target, closer))

    async def provider_record(
        self, sender: PeerId, remote_addr: bytes | None, plan: KeepProvider, wait_s: float
    ) -> ProviderRecord:
        """The record an ADD_PROVIDER asks to keep, with addresses at which others can find the provider.

        Rust peers send none on loopback and private networks: then those that identify gave are taken, which may have
        to be waited for up to `wait_s` seconds, and the connection's as the last resort.
        """
        addrs = credible(plan.addrs, remote_addr)
        if not addrs:
            await self._watch.identified(sender, wait_s)
            known = credible(self._connections.addrs_of(sender), remote_addr)
            known = known or ((remote_addr,) if remote_addr else ())
            addrs = clean_addrs(sender, known, self._settings.inbound.addrs_per_record)
        now = self._clock.wall()
        return ProviderRecord(plan.key, sender, addrs, now, now + self._settings.provider_ttl_s)

    async def keep_providers(self, records: Sequence[ProviderRecord]) -> int:
        """Store the records; returns how many were kept."""
        return await self._stores.providers.add_many(records) if records else 0

    @property
    def provider_limits(self) -> ProviderLimits:
        """What the store of provider records keeps at most."""
        return self._stores.providers.limits

    async def local_records(self, key: bytes) -> list[ProviderRecord]:
        """The live records of `key` held here, newest first."""
        return await self._stores.providers.get(key, self._clock.wall())

    async def _providers(self, overlay: Overlay, key: bytes) -> list[PeerEntry]:
        local = overlay.table.local
        own = [overlay.entry(local)] if key in self._stores.own else []
        return own + [
            overlay.entry(record.peer, record.addrs) for record in await self.local_records(key) if record.peer != local
        ]

    def _closer(self, overlay: Overlay, asker: PeerId, key: bytes) -> list[PeerEntry]:
        closest = overlay.table.closest(KadKey.of(key), self._settings.k + 1)
        entries = (overlay.entry(peer) for peer in closer_peers(closest, asker, self._settings.k))
        # A peer that nobody here knows an address of is of no use to the asker.
        return [entry for entry in entries if entry.addrs]

    def _with_target(self, overlay: Overlay, target: PeerId | None, closer: list[PeerEntry]) -> list[PeerEntry]:
        """`closer`, headed by the sought peer if its addresses are known, be it no server, the asker or this node."""
        if target is None or any(entry.id == target.raw for entry in closer):
            return closer
        entry = overlay.entry(target)
        return [entry, *closer] if entry.addrs else closer
