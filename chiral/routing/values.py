"""Puts and gets value records: asks the closest peers, believes nothing that its validator does not."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from chiral.clock import Clock
from chiral.errors import ChiralError, ProtocolError, RemoteError, UsageError
from chiral.interface.peer import PeerId
from chiral.interface.routing import ProvideResult
from chiral.interface.values import ValueRecord, ValueStore
from chiral.kad.messages import MAX_MESSAGE_BYTES, Message, MessageType, Record, encode_message
from chiral.kad.validation import Validator, Validators, validator_of
from chiral.routing.placement import place
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings


class Values:
    """Value records in every overlay."""

    def __init__(
        self,
        queries: Sequence[Queries],
        validators: Validators,
        store: ValueStore,
        clock: Clock,
        settings: KadSettings,
    ) -> None:
        self._queries = queries
        self._validators = validators
        self._store = store
        self._clock = clock
        self._settings = settings

    async def put(self, key: bytes, value: bytes) -> ProvideResult:
        """Store the value here and at the peers closest to the key; says how many of those were asked and took it.

        Raises `UsageError` if the key's name space has no validator, its validator refuses the value, or both together
        do not fit a message.
        """
        self._checked(key, value)
        request = Message(MessageType.PUT_VALUE, key, Record(key, value))
        if (size := len(encode_message(request))) > MAX_MESSAGE_BYTES:
            raise UsageError(f"the record is {size} bytes, over the DHT's {MAX_MESSAGE_BYTES}")
        now = self._clock.wall()
        await self._store.put(ValueRecord(key, value, now, now + self._settings.value_ttl_s))
        answers: list[bool] = []
        async with trio.open_nursery() as nursery:
            for queries in self._queries:
                nursery.start_soon(self._put_in, queries, request, answers)
        return ProvideResult(key, asked=len(answers), stored=sum(answers))

    async def get(self, key: bytes, *, quorum: int) -> bytes | None:
        """The best valid value of up to `quorum` answers that hold one (the local record being one), or None.

        Raises `UsageError` if the key's name space has no validator.
        """
        validator = self._validator(key)
        local = await self._store.get(key, self._clock.wall())
        values = [local.value] if local is not None else []

        def on_answer(_: PeerId, message: Message) -> bool:
            record = message.record
            if record is not None and record.key == key and _is_valid(validator, record):
                values.append(record.value)
            return len(values) >= quorum

        if len(values) < quorum:
            async with trio.open_nursery() as nursery:
                for queries in self._queries:
                    nursery.start_soon(queries.seek, Message(MessageType.GET_VALUE, key), on_answer)
        return values[validator.select(key, values)] if values else None

    async def _put_in(self, queries: Queries, request: Message, answers: list[bool]) -> None:
        peers = (await place(queries, [request.key], k=self._settings.k, concurrent=1))[request.key]

        async def ask(peer: PeerId) -> None:
            try:
                await queries.client.request(peer, request)
            except RemoteError:
                answers.append(False)  # a refusal of the value is no sign that the peer is gone
            else:
                answers.append(True)

        async with trio.open_nursery() as nursery:
            for peer in peers:
                nursery.start_soon(ask, peer)

    def _validator(self, key: bytes) -> Validator:
        try:
            return validator_of(self._validators, key)
        except ProtocolError as error:
            raise UsageError(error.message) from error

    def _checked(self, key: bytes, value: bytes) -> None:
        try:
            self._validator(key).validate(key, value)
        except ProtocolError as error:
            raise UsageError(f"the value is not valid under its key: {error.message}") from error


def _is_valid(validator: Validator, record: Record) -> bool:
    try:
        validator.validate(record.key, record.value)
    except ChiralError:
        return False
    return True
