"""The answering side of the block protocol: a block, or a file's FileInfo under its root, to whoever asks."""

from __future__ import annotations

import trio

from chiral.block.cid import CID
from chiral.errors import LimitExceededError, RequestTimeoutError
from chiral.events.bus import EventBus
from chiral.events.types import BlockSent
from chiral.exchange.codec import NOT_HELD, PROTOCOL, answer_head, decode_request
from chiral.exchange.serving import Serving
from chiral.exchange.settings import ExchangeSettings
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue
from chiral.interface.streams import Stream, Streams


class BlockServer:
    """Serves what the store and the catalogue hold; counts what it sent."""

    def __init__(self, blocks: Blockstore, catalogue: Catalogue, bus: EventBus, settings: ExchangeSettings) -> None:
        self._blocks = blocks
        self._catalogue = catalogue
        self._bus = bus
        self._settings = settings
        self._serving = Serving(settings)
        self.blocks_sent = 0
        self.bytes_sent = 0

    def attach(self, streams: Streams) -> None:
        """Answer the protocol on `streams` from now on."""
        streams.serve(PROTOCOL, self.serve)

    async def serve(self, stream: Stream) -> None:
        """Answer one request. Raises a `RemoteError`, and so resets the stream, where the remote breaks the rules."""
        with self._serving.request(stream.peer), trio.move_on_after(self._settings.request_timeout_s):
            cid = decode_request(await stream.read_to_end(self._settings.max_request_bytes))
            data = await self._find(cid)
            if data is None:
                await stream.finish(NOT_HELD)
            else:
                await self._send(stream, cid, data)
            return
        raise RequestTimeoutError(f"{stream.peer.short} did not finish its request or take its answer in time")

    async def _send(self, stream: Stream, cid: CID, data: bytes) -> None:
        with self._serving.answer(stream.peer, len(data)):
            await stream.write(answer_head(len(data)))
            await stream.finish(data)
        self.blocks_sent += 1
        self.bytes_sent += len(data)
        self._bus.publish(BlockSent(stream.peer, cid, len(data)))

    async def _find(self, cid: CID) -> bytes | None:
        """The block named, or the FileInfo of the file whose root is named. Raises `LimitExceededError`."""
        data, limit = await self._blocks.get(cid), self._settings.max_block_bytes
        if data is None:
            data, limit = await self._catalogue.manifest(cid), self._settings.max_manifest_bytes
        if data is not None and len(data) > limit:
            raise LimitExceededError(f"{cid} has {len(data)} bytes, over the {limit} that are served")
        return data
