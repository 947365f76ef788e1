"""Gives peers that answered a search with an older record, or with none, the best one, behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import trio

from chiral.interface.peer import PeerId
from chiral.kad.messages import Message
from chiral.routing.client import KadClient
from chiral.routing.value_sender import ValueSender, put_request, put_to_all

_MAX_WAITING = 64
_MAX_PEERS = 20


class ValueCorrection:
    """A queue of at most 64 corrections of up to 20 peers; what is over is not sent, the next search finds it again."""

    def __init__(self, sender: ValueSender) -> None:
        self._sender = sender
        self._send, self._receive = trio.open_memory_channel[tuple[KadClient, Sequence[PeerId], Message]](_MAX_WAITING)

    def offer(self, client: KadClient, peers: Iterable[PeerId], key: bytes, value: bytes) -> None:
        """Have `peers` told, some time; those that refuse such records are left alone."""
        chosen = [peer for peer in peers if not self._sender.refuses(peer, key)][:_MAX_PEERS]
        if chosen:
            try:
                self._send.send_nowait((client, chosen, put_request(key, value)))
            except trio.WouldBlock:
                return

    async def run(self) -> None:
        """Send what is offered, one record at a time, until cancelled."""
        async for client, peers, request in self._receive.clone():
            await put_to_all(self._sender, client, peers, request)
