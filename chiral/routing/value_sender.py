"""Sends PUT_VALUEs to single peers, and passes over for a while those that refuse a name space. Chooses nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import trio

from chiral.clock import Clock
from chiral.errors import PeerUnreachableError, RemoteError, RequestTimeoutError
from chiral.interface.peer import PeerId
from chiral.kad.messages import Message, MessageType, Record, encode_message
from chiral.kad.validation import namespace_of
from chiral.routing.client import KadClient

_BATCH_BYTES = 48 << 10
"""The answers to a batch are as large as the batch, and all of them are read at its end."""
_BATCH_RECORDS = 64
_STRIKES = 3
_REST_S = 3600.0
_MAX_REMEMBERED = 4096


@dataclass(slots=True)
class _Refused:
    strikes: int = 0
    until: float = 0.0


def put_request(key: bytes, value: bytes) -> Message:
    """The PUT_VALUE of a record."""
    return Message(MessageType.PUT_VALUE, key, Record(key, value))


class ValueSender:
    """Remembers of at most 4096 peers and name spaces that three requests in a row were refused: an hour's rest.

    Go peers validate by name space and take `pk` and `ipns` alone: a stream for each record would tell them nothing.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: dict[tuple[PeerId, str], _Refused] = {}
        self.sent = 0
        """PUT_VALUEs written, taken or not."""
        self.streams = 0
        """In how many streams."""

    def refuses(self, peer: PeerId, key: bytes) -> bool:
        """Whether `peer` is left alone with records of the name space of `key` for now."""
        refused = self._refused.get((peer, namespace_of(key)))
        return refused is not None and refused.until > self._clock.monotonic()

    async def put(self, client: KadClient, peer: PeerId, request: Message) -> bool:
        """Whether `peer` took the record."""
        self.sent += 1
        self.streams += 1
        try:
            await client.request(peer, request)
        except RemoteError as error:
            self._failed(peer, request.key, error)
            return False
        self._refused.pop((peer, namespace_of(request.key)), None)
        return True

    async def put_many(self, client: KadClient, peer: PeerId, requests: Sequence[Message]) -> list[bytes]:
        """Send records in few streams; the keys of those taken. A stream with one refused counts as refused whole."""
        taken: list[bytes] = []
        for batch in _batches([request for request in requests if not self.refuses(peer, request.key)]):
            self.sent += len(batch)
            self.streams += 1
            try:
                await client.tell(peer, batch)
            except RemoteError as error:
                self._failed(peer, batch[0].key, error)
                if isinstance(error, PeerUnreachableError | RequestTimeoutError) or self.refuses(peer, batch[0].key):
                    break
            else:
                self._refused.pop((peer, namespace_of(batch[0].key)), None)
                taken += [request.key for request in batch]
        return taken

    def _failed(self, peer: PeerId, key: bytes, error: RemoteError) -> None:
        if isinstance(error, PeerUnreachableError | RequestTimeoutError):
            return
        refused = self._refused.setdefault((peer, namespace_of(key)), _Refused())
        refused.strikes += 1
        if refused.strikes >= _STRIKES:
            refused.until = self._clock.monotonic() + _REST_S
        while len(self._refused) > _MAX_REMEMBERED:
            del self._refused[next(iter(self._refused))]


def _batches(requests: Sequence[Message]) -> Iterator[list[Message]]:
    """Batches of one name space each, bounded in bytes and count."""
    batch: list[Message] = []
    size = 0
    for request in sorted(requests, key=lambda request: namespace_of(request.key)):
        more = len(encode_message(request))
        full = size + more > _BATCH_BYTES or len(batch) >= _BATCH_RECORDS
        if batch and (full or namespace_of(request.key) != namespace_of(batch[0].key)):
            yield batch
            batch, size = [], 0
        batch.append(request)
        size += more
    if batch:
        yield batch


async def put_to_all(sender: ValueSender, client: KadClient, peers: Sequence[PeerId], request: Message) -> int:
    """Send one record to `peers` at once; how many took it."""
    taken: list[bool] = []

    async def put(peer: PeerId) -> None:
        taken.append(await sender.put(client, peer, request))

    async with trio.open_nursery() as nursery:
        for peer in peers:
            nursery.start_soon(put, peer)
    return sum(taken)
