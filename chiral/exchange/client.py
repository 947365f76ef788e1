"""The asking side of the block protocol: one CID of one peer, within a deadline and a cap."""

from __future__ import annotations

import trio

from chiral.block.cid import CID
from chiral.errors import RequestTimeoutError
from chiral.exchange.codec import ANSWER_HEAD_BYTES, PROTOCOL, decode_answer, encode_request
from chiral.exchange.settings import ExchangeSettings
from chiral.interface.peer import PeerId
from chiral.interface.streams import Streams


class BlockClient:
    """Implements the `Exchange` port over streams."""

    def __init__(self, streams: Streams, settings: ExchangeSettings) -> None:
        self._streams = streams
        self._settings = settings

    async def fetch(self, peer: PeerId, cid: CID, *, limit_bytes: int) -> memoryview | None:
        """What `peer` answers for `cid`, not verified, or None where it does not hold it. Raises a `RemoteError`."""
        with trio.move_on_after(self._settings.request_timeout_s):
            answer = await self._streams.request(
                peer, PROTOCOL, encode_request(cid), limit_bytes=limit_bytes + ANSWER_HEAD_BYTES
            )
            return decode_answer(answer)
        raise RequestTimeoutError(f"{peer.short} did not answer for {cid} in {self._settings.request_timeout_s:g} s")
