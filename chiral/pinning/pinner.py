"""The use cases on pins: add one once what it keeps is here whole, remove, list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chiral.block.cid import CID, CODEC_NAMES
from chiral.clock import Clock
from chiral.errors import InvalidCidError, NotFoundError, UsageError
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue
from chiral.interface.content import ContentSource
from chiral.interface.pins import Pin, PinCounts, PinKind, Pins
from chiral.pinning.completion import Completion, Progress
from chiral.pinning.uses import BlockUses

_PAGE = 256


@dataclass(frozen=True, slots=True)
class Pinned:
    """A pin that was asked for: `new` unless it was there before; `blocks` of a DAG were found here or fetched."""

    pin: Pin
    new: bool
    blocks: int


class KeptNews(Protocol):
    """Who hears of what is kept, to tell the swarm."""

    def kept(self, cid: CID) -> None:
        """The block, or the whole DAG under it, is here to stay."""
        ...

    async def given_up(self, cid: CID) -> None:
        """No pin keeps it any more."""
        ...


class Pinner:
    """One node's pins. Files are none of `news`' business: who fetched them has told of them."""

    def __init__(
        self,
        pins: Pins,
        blocks: Blockstore,
        catalogue: Catalogue,
        uses: BlockUses,
        source: ContentSource,
        clock: Clock,
        news: KeptNews | None = None,
    ) -> None:
        self._pins = pins
        self._blocks = blocks
        self._catalogue = catalogue
        self._uses = uses
        self._source = source
        self._clock = clock
        self._news = news

    async def add(
        self,
        cid: CID,
        *,
        kind: PinKind = PinKind.RECURSIVE,
        name: str = "",
        timeout_s: float,
        progress: Progress | None = None,
    ) -> Pinned:
        """Keep `cid`, what is not here being fetched first: the block, the file, or with `RECURSIVE` all of the DAG.

        Raises `InvalidCidError` for a CID that cannot be verified here, `TooLargeError` for a name over 255 bytes, and
        what fetching raises; then there is no pin, and what was fetched is garbage for the next collection.
        """
        cid.require_supported()
        if cid.codec not in CODEC_NAMES:
            raise InvalidCidError(f"codec {cid.codec:#x} of {cid} is not supported")
        pin = Pin(cid, kind, name, int(self._clock.wall()))
        with self._uses.completing(cid):
            self._uses.touch([cid.multihash])
            await self._uses.settled()
            block = await self._source.root(cid, timeout_s=timeout_s)
            blocks = 1
            if block is not None and kind is PinKind.RECURSIVE:
                completion = Completion(cid, self._blocks, self._source, self._uses, timeout_s)
                await completion.run(progress)
                blocks = completion.done
            async with self._uses.removing():  # a file removed meanwhile must not leave a pin of what is not here
                await self._require_here(cid, is_file=block is None)
                new = await self._pins.put(pin)
        if self._news is not None and block is not None:
            self._news.kept(cid)
        return Pinned(pin, new, blocks)

    async def _require_here(self, cid: CID, *, is_file: bool) -> None:
        if is_file and await self._catalogue.get(cid) is None:
            raise NotFoundError(f"{cid} was removed while it was being pinned", hint="try again")

    async def remove(self, cid: CID, *, name: str | None = None, every: bool = False) -> list[Pin]:
        """Remove the pin of `cid` named `name`, or its only one, or `every` one; returns those removed.

        Raises `NotFoundError`, and `UsageError` where there are several and none is named.
        """
        found = await self._pins.of(cid)
        chosen = found if name is None else [pin for pin in found if pin.name == name]
        if not chosen:
            named = "" if name is None else f" as {name!r}"
            raise NotFoundError(f"{cid} is not pinned{named}", hint="'chiral pin ls' shows what is")
        if name is None and not every and len({pin.name for pin in chosen}) > 1:
            names = ", ".join(sorted(repr(pin.name) for pin in chosen))
            raise UsageError(f"{cid} is pinned under several names: {names}", hint="give --name, or --all")
        await self._pins.remove(chosen)
        if self._news is not None and len(chosen) == len(found):
            await self._news.given_up(cid)
        return chosen

    async def tell_all(self) -> None:
        """Tell of every pin that is not of a file here, once: what was announced ends with the process."""
        after: Pin | None = None
        while self._news is not None and (page := await self._pins.page(after, _PAGE)):
            catalogued = await self._catalogue.get_many([pin.cid for pin in page])
            for pin, record in zip(page, catalogued, strict=True):
                if record is None:
                    self._news.kept(pin.cid)
            after = page[-1]

    async def of(self, cid: CID) -> list[Pin]:
        """The pins of just this CID."""
        return await self._pins.of(cid)

    async def page(self, after: Pin | None = None, limit: int = 1000, kind: PinKind | None = None) -> list[Pin]:
        """Up to `limit` pins behind `after`, direct ones first."""
        return await self._pins.page(after, limit, kind)

    async def counts(self) -> PinCounts:
        """How many there are of each kind."""
        return await self._pins.counts()
