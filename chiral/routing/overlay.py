"""One DHT: the routing table of one protocol, kept by what its peers do. Lookups and requests are made by others."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable

import trio

from chiral.clock import Clock
from chiral.errors import InvalidAddressError, RemoteError, UnsupportedProtocolError
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import Connections
from chiral.kad.addresses import clean_addrs
from chiral.kad.backoff import Backoff
from chiral.kad.bucket import Admit, PingFirst, Refused
from chiral.kad.diversity import Group, groups_of
from chiral.kad.messages import Connectedness, PeerEntry
from chiral.kad.saved_peer import SavedPeer
from chiral.kad.table import DEFAULT_TRUST_S, RoutingTable
from chiral.routing.settings import KadSettings

_MAX_DOUBTS = 64
_log = logging.getLogger(__name__)


class Overlay:
    """The peers that speak `protocol`, and whom of them to doubt."""

    def __init__(
        self, local: PeerId, protocol: str, connections: Connections, clock: Clock, settings: KadSettings
    ) -> None:
        self.protocol = protocol
        self.table = RoutingTable(local, k=settings.k, diversity=settings.diversity.limits())
        self._connections = connections
        self._clock = clock
        self._settings = settings
        self._backoff = Backoff()
        self._doubt, self.doubts = trio.open_memory_channel[PeerId](_MAX_DOUBTS)

    # What peers do.

    def observe(self, peer: PeerId) -> None:
        """`peer` showed that it serves this DHT: by an answer, or by what identify says."""
        self._backoff.succeeded(peer)
        outcome = self.table.seen(peer, self._clock.monotonic(), self._groups(peer))
        if isinstance(outcome, Refused):
            _log.debug("%s is not taken into the routing table: %s", peer, outcome.reason)
        elif not isinstance(outcome, Admit) or outcome.new:
            self._keep_addrs(peer)
        if isinstance(outcome, PingFirst):
            self._put_in_doubt(outcome.oldest)

    def identified(self, peer: PeerId, protocols: frozenset[str]) -> None:
        """Identify said what `peer` speaks: it comes into the table, or leaves it if it does not serve this DHT."""
        if self.protocol in protocols:
            self.observe(peer)
            if peer in self.table:
                self._keep_addrs(peer)
        else:
            self._drop(peer)

    def _groups(self, peer: PeerId) -> frozenset[Group] | None:
        """The networks `peer` is in, by where it is connected; None if there is no news of that.

        What others say of its addresses counts only where nothing better is known, else they could have it refused.
        """
        addrs = self._connections.remote_addrs(peer)
        if not addrs and peer in self.table:
            return None
        exempt = self._settings.diversity.exempt_private
        return groups_of(addrs or self._connections.addrs_of(peer), exempt_private=exempt)

    def _put_in_doubt(self, peer: PeerId) -> None:
        try:
            self._doubt.send_nowait(peer)
        except trio.WouldBlock:
            _log.debug("too many peers in doubt; %s is not asked", peer.short)

    def _drop(self, peer: PeerId) -> None:
        now = self._clock.monotonic()
        promoted = self.table.drop(peer, now)
        entry = self.table.entry(promoted) if promoted is not None else None
        if entry is not None:
            self._keep_addrs(entry.peer)
            if now - entry.seen_at >= DEFAULT_TRUST_S:  # it waited long, and may have died as well
                self._put_in_doubt(entry.peer)

    def renew_addrs(self) -> None:
        """Keep the addresses of connected peers of the table: identify tells them once, however long it lasts."""
        for entry in self.table:
            if self._connections.is_connected(entry.peer):
                self._keep_addrs(entry.peer)

    def _keep_addrs(self, peer: PeerId) -> None:
        # Peers of the table are dialled long after they disconnected, so their addresses have to outlive that.
        self._connections.add_addrs(peer, self._connections.addrs_of(peer), ttl_s=self._settings.table_addr_ttl_s)

    def failed(self, peer: PeerId, error: RemoteError) -> None:
        """A request to `peer` failed: after some in a row, or if it does not serve this DHT, it leaves the table."""
        now = self._clock.monotonic()
        strikes = self._backoff.failed(peer, now)
        if strikes >= self._settings.strikes or isinstance(error, UnsupportedProtocolError):
            self._drop(peer)

    def evict(self, peer: PeerId) -> None:
        """`peer` did not answer when it was doubted: it leaves the table, and a spare takes its place."""
        self._backoff.failed(peer, self._clock.monotonic())
        self._drop(peer)

    def blocked(self, peer: PeerId) -> bool:
        """Whether `peer` failed so lately that it is left alone."""
        return self._backoff.blocked(peer, self._clock.monotonic())

    # What is known of peers.

    def snapshot(self) -> list[SavedPeer]:
        """The peers of the table that can be found again in another run."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        return [
            SavedPeer(entry.peer, addrs, max(0, int(wall - (now - entry.seen_at))))
            for entry in self.table
            if (addrs := self._connections.addrs_of(entry.peer))
        ]

    def learn(self, entries: Iterable[PeerEntry], *, known: Container[PeerId] = ()) -> list[PeerInfo]:
        """The peers of a message with their clean addresses.

        Left out are malformed entries, the local peer, and those of `known` of whom it tells no new address.
        """
        infos = []
        for entry in entries:
            try:
                peer = PeerId.from_bytes(entry.id)
            except InvalidAddressError:
                continue
            if peer == self.table.local:
                continue
            if peer not in known or self._tells_more(peer, entry):
                infos.append(PeerInfo(peer, clean_addrs(peer, entry.addrs, self._settings.inbound.addrs_per_record)))
        return infos

    def _tells_more(self, peer: PeerId, entry: PeerEntry) -> bool:
        # Of a connected peer nobody else need tell, and nobody can crowd out the address that works.
        connected = self._connections.is_connected(peer)
        return not connected and not set(entry.addrs) <= set(self._connections.addrs_of(peer))

    def remember(self, info: PeerInfo) -> None:
        """Keep addresses that another peer told, for a while."""
        if info.addrs:
            self._connections.add_addrs(info.peer, info.addrs, ttl_s=self._settings.learned_addr_ttl_s)

    def reachable(self, info: PeerInfo) -> bool:
        """Whether there is a way to the peer at all: told now, known before, or a live connection."""
        known = info.addrs or self._connections.addrs_of(info.peer)
        return bool(known) or self._connections.is_connected(info.peer)

    def entry(self, peer: PeerId, addrs: tuple[bytes, ...] = ()) -> PeerEntry:
        """`peer` as this node tells others of it: with `addrs` and what it knows itself."""
        if peer == self.table.local:
            own = self._connections.listen_addrs()[: self._settings.inbound.addrs_per_record]
            return PeerEntry(peer.raw, own, Connectedness.CONNECTED)
        connected = self._connections.is_connected(peer)
        state = Connectedness.CONNECTED if connected else Connectedness.NOT_CONNECTED
        return PeerEntry(peer.raw, self.known_addrs(PeerInfo(peer, addrs)), state)

    def known_addrs(self, info: PeerInfo) -> tuple[bytes, ...]:
        """The addresses told in `info`, which are clean, and those known before, each once."""
        known = dict.fromkeys((*info.addrs, *self._connections.addrs_of(info.peer)))
        return tuple(known)[: self._settings.inbound.addrs_per_record]
