"""Value records as a node has them: puts them together of asking, keeping, publishing and correcting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from chiral.clock import Clock
from chiral.interface.datastore import Datastore
from chiral.interface.values import QuorumError, RecordFound, RecordPut
from chiral.kad.quorum import Quorum
from chiral.routing.own_values import OwnValues
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings
from chiral.routing.value_correction import ValueCorrection
from chiral.routing.value_republishing import Renewers, ValueRepublishing
from chiral.routing.value_sender import ValueSender
from chiral.routing.value_shelf import ValueShelf
from chiral.routing.values import Values


class ValueRecords:
    """Value records in every overlay; `run` must be running for what is done behind."""

    def __init__(
        self,
        queries: Sequence[Queries],
        shelf: ValueShelf,
        datastore: Datastore,
        clock: Clock,
        settings: KadSettings,
        renewers: Renewers,
    ) -> None:
        self.own = OwnValues(datastore)
        self.sender = ValueSender(clock)
        self._correction = ValueCorrection(self.sender)
        self._values = Values(queries, shelf, self.sender, self._correction, clock, settings)
        self._republishing = ValueRepublishing(queries, self._values, self.own, clock, settings, renewers)

    async def run(self) -> None:
        """Publish own records again and correct others until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._republishing.run)
            nursery.start_soon(self._correction.run)

    async def put(self, key: bytes, value: bytes, *, quorum: Quorum) -> RecordPut:
        """Put a record now and keep publishing it; raises as `Values.put`, and `QuorumError` if too few took it."""
        put = await self._values.put(key, value, quorum=quorum)
        await self._republishing.published(key, value, taken=put.stored > 0)
        if not put.reached:
            raise QuorumError.of(put)
        return put

    async def get(self, key: bytes, *, quorum: Quorum) -> RecordFound | None:
        """Search for a record; as `Values.get`."""
        return await self._values.get(key, quorum=quorum)

    async def publish(self, values: Mapping[bytes, bytes]) -> None:
        """Have records put behind and kept published; as `ValueRepublishing.publish`."""
        await self._republishing.publish(values)

    async def withdraw(self, keys: Sequence[bytes]) -> None:
        """Publish the records of `keys` no longer; what others keep expires there by itself."""
        await self._republishing.withdraw(keys)
