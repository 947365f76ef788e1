"""Puts Chiral's Yamux into py-libp2p's own upgrader, so that whole stock hosts can be run over it."""

from __future__ import annotations

from libp2p.abc import IMuxedConn, ISecureConn
from libp2p.peer.id import ID
from libp2p.stream_muxer.muxer_multistream import MuxerMultistream

from chiral.host.muxed import YAMUX_PROTOCOL, FastMuxed
from chiral.yamux.limits import YamuxLimits


class FastMuxer(MuxerMultistream):
    """Negotiates `/yamux/1.0.0` and builds a `FastMuxed`; to be assigned to an upgrader's `muxer_multistream`."""

    def __init__(self, limits: YamuxLimits | None = None, *, negotiate_timeout_s: int = 10) -> None:
        super().__init__({YAMUX_PROTOCOL: FastMuxed}, negotiate_timeout_s)
        self._limits = limits

    async def new_conn(self, conn: ISecureConn, peer_id: ID) -> IMuxedConn:
        """The muxed connection over a secured one. Raises py-libp2p's `MultiselectError` family."""
        protocol, _ = await self._selector.select(conn, conn.is_initiator, self.negotiate_timeout)
        muxed = FastMuxed(conn, peer_id, self._limits)
        self._annotate_connection(muxed, conn, protocol)
        return muxed
