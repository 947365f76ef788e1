"""Puts and gets value records: asks the closest peers, believes nothing that its validator does not."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from chiral.clock import Clock
from chiral.errors import ChiralError, LimitExceededError, ProtocolError, UsageError
from chiral.interface.peer import PeerId
from chiral.interface.values import RecordFound, RecordPut
from chiral.kad.messages import MAX_MESSAGE_BYTES, Message, MessageType, Record, encode_message
from chiral.kad.quorum import Quorum, votes_needed
from chiral.kad.validation import Validator, best_first, validator_of
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings
from chiral.routing.value_correction import ValueCorrection
from chiral.routing.value_sender import ValueSender, put_request, put_to_all
from chiral.routing.value_shelf import ValueShelf


class Values:
    """Value records in every overlay."""

    def __init__(
        self,
        queries: Sequence[Queries],
        shelf: ValueShelf,
        sender: ValueSender,
        correction: ValueCorrection,
        clock: Clock,
        settings: KadSettings,
    ) -> None:
        self._queries = queries
        self.shelf = shelf
        self.sender = sender
        self._correction = correction
        self._clock = clock
        self._settings = settings

    async def put(self, key: bytes, value: bytes, *, quorum: Quorum) -> RecordPut:
        """Store the value here and at the peers closest to the key; says how many of those were asked and took it.

        Raises `UsageError` if the key's name space has no validator, its validator refuses the value, a newer one
        stands here, or both together do not fit a message.
        """
        request = self.request_for(key, value)
        try:
            await self.shelf.keep(Record(key, value))
        except ProtocolError as error:
            raise UsageError("a newer record than this one is known here") from error
        except LimitExceededError:
            pass  # others may have room for it
        counts: list[tuple[int, int]] = []

        async def put_in(queries: Queries) -> None:
            # One path: only then are these exactly the k closest, which is where others will look.
            peers = (await queries.seek(Message(MessageType.FIND_NODE, key), paths=1)).closest()
            counts.append((len(peers), await put_to_all(self.sender, queries.client, peers, request)))

        async with trio.open_nursery() as nursery:
            for queries in self._queries:
                nursery.start_soon(put_in, queries)
        asked, stored = (sum(column) for column in zip(*counts, strict=True))
        return RecordPut(key, asked, stored, votes_needed(quorum, asked))

    def request_for(self, key: bytes, value: bytes) -> Message:
        """The PUT_VALUE of a record that may be put; raises `UsageError` as `put` does."""
        try:
            self._validator(key).validate(key, value, self._clock.wall())
        except ProtocolError as error:
            raise UsageError(f"the value is not valid under its key: {error.message}") from error
        request = put_request(key, value)
        if (size := len(encode_message(request))) > MAX_MESSAGE_BYTES:
            raise UsageError(f"the record is {size} bytes, over the DHT's {MAX_MESSAGE_BYTES}")
        return request

    async def get(self, key: bytes, *, quorum: Quorum) -> RecordFound | None:
        """The best valid record of the answers up to the quorum (this node's own being one), or None.

        The search ends earlier than at the closest peers only once the quorum is reached; there being fewer than k
        peers, it counts against those that there are. Raises `UsageError` if the key's name space has no validator.
        """
        search = _Search(key, self._validator(key), self._clock.wall(), votes_needed(quorum, self._settings.k))
        search.take_local(await self.shelf.values(key))
        closest: dict[Queries, list[PeerId]] = {}

        async def seek(queries: Queries) -> None:
            def on_answer(peer: PeerId, message: Message) -> bool:
                return search.take(queries, peer, message.record)

            closest[queries] = (await queries.seek(Message(MessageType.GET_VALUE, key), on_answer)).closest()

        if not search.content:
            async with trio.open_nursery() as nursery:
                for queries in self._queries:
                    nursery.start_soon(seek, queries)
        found = best_first(search.validator, key, search.valid)
        if not found:
            return None
        for queries, peers in closest.items():
            self._correction.offer(queries.client, search.mistaken(queries, peers, found[0]), key, found[0])
        could = max((len(peers) for peers in closest.values()), default=0)
        needed = search.needed if search.content else min(search.needed, votes_needed(quorum, could))
        return RecordFound(key, found[0], tuple(found[1:]), search.answers, needed)

    def _validator(self, key: bytes) -> Validator:
        try:
            return validator_of(self.shelf.validators, key)
        except ProtocolError as error:
            raise UsageError(error.message) from error


class _Search:
    """The answers to one search. `needed` of them with a valid record end it."""

    def __init__(self, key: bytes, validator: Validator, now: float, needed: int) -> None:
        self.key = key
        self.validator = validator
        self.needed = needed
        self.valid: list[bytes] = []
        self.answers = 0
        self._now = now
        self._told: dict[Queries, dict[PeerId, bytes | None]] = {}

    @property
    def content(self) -> bool:
        """Whether nobody else needs to be asked."""
        return self.answers >= self.needed

    def take_local(self, values: Sequence[bytes]) -> None:
        valid = [value for value in values if self._is_valid(value)]
        self.valid += valid
        self.answers += bool(valid)

    def take(self, queries: Queries, peer: PeerId, record: Record | None) -> bool:
        """Note what `peer` answered; true once the search may end."""
        valid = record is not None and record.key == self.key and self._is_valid(record.value)
        self._told.setdefault(queries, {})[peer] = record.value if record is not None and valid else None
        if record is not None and valid:
            self.valid.append(record.value)
            self.answers += 1
        return self.content

    def mistaken(self, queries: Queries, closest: Sequence[PeerId], best: bytes) -> list[PeerId]:
        """Who told of something worse than `best`, and who of the `closest` had nothing, nearest first.

        Whether a peer is among the closest is known only of a search that went to its end.
        """
        told = self._told.get(queries, {})
        keepers = set() if self.content else set(closest)
        worse = [peer for peer, value in told.items() if value != best and (value is not None or peer in keepers)]
        return sorted(worse, key=lambda peer: closest.index(peer) if peer in keepers else len(closest))

    def _is_valid(self, value: bytes) -> bool:
        try:
            self.validator.validate(self.key, value, self._now)
        except ChiralError:
            return False
        return True
