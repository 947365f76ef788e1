"""The answering side of the block protocol: a block, or a file's FileInfo under its root, to whoever asks."""

from __future__ import annotations

from collections import Counter

import trio

from chiral.block.cid import CID
from chiral.errors import LimitExceededError, RequestTimeoutError
from chiral.events.bus import EventBus
from chiral.events.types import BlockSent
from chiral.exchange.codec import NOT_HELD, PROTOCOL, answer_head, decode_request
from chiral.exchange.settings import ExchangeSettings
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue
from chiral.interface.peer import PeerId
from chiral.interface.streams import Stream, Streams


class BlockServer:
    """Serves what the store and the catalogue hold; counts what it sent."""

    def __init__(self, blocks: Blockstore, catalogue: Catalogue, bus: EventBus, settings: ExchangeSettings) -> None:
        self._blocks = blocks
        self._catalogue = catalogue
        self._bus = bus
        self._settings = settings
        self._slots = trio.CapacityLimiter(settings.max_serving)
        self._serving: Counter[PeerId] = Counter()
        self.blocks_sent = 0
        self.bytes_sent = 0

    def attach(self, streams: Streams) -> None:
        """Answer the protocol on `streams` from now on."""
        streams.serve(PROTOCOL, self.serve)

    async def serve(self, stream: Stream) -> None:
        """Answer one request. Raises a `RemoteError`, and so resets the stream, where the remote breaks the rules."""
        peer = stream.peer
        if self._serving[peer] >= self._settings.max_serving_per_peer:
            raise LimitExceededError(f"{peer.short} has {self._serving[peer]} requests open (max_serving_per_peer)")
        self._serving[peer] += 1
        try:
            with trio.move_on_after(self._settings.request_timeout_s):
                request = await stream.read_to_end(self._settings.max_request_bytes)
                cid = decode_request(request)
                async with self._slots:
                    await self._answer(stream, cid)
                return
            raise RequestTimeoutError(f"{peer.short} did not finish its request or take its answer in time")
        finally:
            self._serving[peer] -= 1
            if not self._serving[peer]:
                del self._serving[peer]

    async def _answer(self, stream: Stream, cid: CID) -> None:
        data = await self._find(cid)
        if data is None:
            await stream.finish(NOT_HELD)
            return
        await stream.write(answer_head(len(data)))
        await stream.finish(data)
        self.blocks_sent += 1
        self.bytes_sent += len(data)
        self._bus.publish(BlockSent(stream.peer, cid, len(data)))

    async def _find(self, cid: CID) -> bytes | None:
        """The block named, or the FileInfo of the file whose root is named."""
        data = await self._blocks.get(cid)
        return data if data is not None else await self._catalogue.manifest(cid)
