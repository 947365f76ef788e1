"""Answers single requests of other peers out of the stores and the routing table. Streams are the server's."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chiral.clock import Clock
from chiral.errors import ProtocolError
from chiral.interface.peer import PeerId
from chiral.interface.providers import ProviderRecord, ProviderStore
from chiral.interface.streams import Connections
from chiral.interface.values import ValueRecord, ValueStore
from chiral.kad.addresses import clean_addrs
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
from chiral.kad.validation import Validators, validator_of
from chiral.routing.identify import IdentifyWatch
from chiral.routing.overlay import Overlay
from chiral.routing.settings import KadSettings

Answered = FindPeers | FindProviders | FindValue | KeepValue | Echo


@dataclass(frozen=True, slots=True)
class Stores:
    """What the DHT keeps: provider records and values of others, and the keys this node provides itself."""

    providers: ProviderStore
    values: ValueStore
    own: Container[bytes]


class Responder:
    """What this node answers; the same for every overlay but for the closer peers."""

    def __init__(
        self,
        stores: Stores,
        validators: Validators,
        connections: Connections,
        watch: IdentifyWatch,
        clock: Clock,
        settings: KadSettings,
    ) -> None:
        self._stores = stores
        self._validators = validators
        self._connections = connections
        self._watch = watch
        self._clock = clock
        self._settings = settings

    async def answer(self, overlay: Overlay, asker: PeerId, request: Message, plan: Answered) -> Message:
        """The reply to `request`; raises `ProtocolError` for a value that must be refused."""
        if isinstance(plan, Echo):
            return request
        if isinstance(plan, KeepValue):
            return await self._keep_value(request, plan.record)
        closer = self._closer(overlay, asker, plan.key)
        if isinstance(plan, FindProviders):
            return answer(request, closer=closer, providers=await self._providers(overlay, plan.key))
        if isinstance(plan, FindValue):
            return answer(request, closer=closer, record=await self._value(plan.key))
        return answer(request, closer=self._with_target(overlay, plan.target, closer))

    async def provider_record(
        self, sender: PeerId, remote_addr: bytes | None, plan: KeepProvider, wait_s: float
    ) -> ProviderRecord:
        """The record an ADD_PROVIDER asks to keep, with addresses at which others can find the provider.

        Rust peers send none on loopback and private networks: then those that identify gave are taken, which may have
        to be waited for up to `wait_s` seconds, and the connection's as the last resort.
        """
        addrs = plan.addrs
        if not addrs:
            await self._watch.identified(sender, wait_s)
            known = self._connections.addrs_of(sender) or ((remote_addr,) if remote_addr else ())
            addrs = clean_addrs(sender, known, self._settings.inbound.addrs_per_record)
        now = self._clock.wall()
        return ProviderRecord(plan.key, sender, addrs, now, now + self._settings.provider_ttl_s)

    async def keep_providers(self, records: Sequence[ProviderRecord]) -> int:
        """Store the records; returns how many were kept."""
        return await self._stores.providers.add_many(records) if records else 0

    async def local_providers(self, overlay: Overlay, key: bytes) -> list[PeerEntry]:
        """The live records of `key` held here, newest first; not this node itself."""
        records = await self._stores.providers.get(key, self._clock.wall())
        return [overlay.entry(record.peer, record.addrs) for record in records if record.peer != overlay.table.local]

    async def _providers(self, overlay: Overlay, key: bytes) -> list[PeerEntry]:
        own = [overlay.entry(overlay.table.local)] if key in self._stores.own else []
        return own + await self.local_providers(overlay, key)

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

    async def _value(self, key: bytes) -> Record | None:
        now = self._clock.wall()
        held = await self._stores.values.get(key, now)
        if held is None:
            return None
        received = datetime.fromtimestamp(held.received_at, UTC).isoformat(timespec="microseconds")
        ttl_s = max(1, int(held.expires_at - now))
        return Record(held.key, held.value, received.replace("+00:00", "Z"), ttl_s=ttl_s)

    async def _keep_value(self, request: Message, record: Record) -> Message:
        validator = validator_of(self._validators, record.key)
        validator.validate(record.key, record.value)
        now = self._clock.wall()
        held = await self._stores.values.get(record.key, now)
        if held is not None and validator.select(record.key, [record.value, held.value]) != 0:
            raise ProtocolError("PUT_VALUE of a value older than the one held")
        ttl_s = min(self._settings.value_ttl_s, record.ttl_s or self._settings.value_ttl_s)
        await self._stores.values.put(ValueRecord(record.key, record.value, now, now + ttl_s))
        return answer(request, record=Record(record.key, record.value))
