"""Which blocks are in use by what is under way: the promise that no removal and no collection takes them meanwhile.

Whoever is about to rely on blocks says so first (`using`, `completing`, `touch`, or by storing them) and then waits for
`settled`. Whoever removes holds `removing`, and asks inside it. So either the removal knows of the use, or the use
begins when the removal is over and sees what it left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import trio

from chiral.block.cid import CID
from chiral.pinning.digest_set import DigestSet

_NOTED_AT_ONCE = 1000
"""Names noted between two turns of others: about a millisecond."""


@dataclass(slots=True, eq=False)
class _Use:
    """Blocks that somebody relies on, more of them as time goes; the first `noted` are in the notes."""

    cids: Sequence[CID]
    noted: int = 0


class BlockUses:
    """One store's. While anything is in use or collected, blocks that are stored are noted, 12 to 24 bytes for each."""

    def __init__(self) -> None:
        self._uses: list[_Use] = []
        self._completing: list[CID] = []
        self._removal = trio.Lock()
        self._notes: DigestSet | None = None
        self._collecting = False
        self._doomed: frozenset[bytes] = frozenset()

    @asynccontextmanager
    async def using(self, cids: Sequence[CID]) -> AsyncIterator[None]:
        """Within the block nothing takes a block of `cids`, nor of what is appended to it, nor one stored meanwhile.

        Whoever appends awaits `settled` before relying on it. Who makes a file or a pin of such blocks does so inside.
        """
        use = _Use(cids)
        self._uses.append(use)
        self._take_notes()
        try:
            await self.settled()
            yield
        finally:
            with trio.CancelScope(shield=True):
                if self._collecting:
                    await self._note_all(use)
            self._uses.remove(use)
            self._end_notes()

    @contextmanager
    def completing(self, root: CID) -> Iterator[None]:
        """Within the block a DAG is being completed that is to be kept: what is here below `root` counts as kept.

        Blocks found here on the way, too, if they are given to `touch` before they are relied on.
        """
        self._completing.append(root)
        self._take_notes()
        try:
            yield
        finally:
            self._completing.remove(root)
            self._end_notes()

    async def settled(self) -> None:
        """Return once no removal is under way that may not know of the latest uses."""
        async with self._removal:
            pass

    def touch(self, multihashes: Iterable[bytes]) -> None:
        """These blocks are being stored, or found here by somebody who relies on them from now on."""
        if self._notes is not None:
            self._notes.update(multihashes)

    def is_doomed(self, multihashes: Iterable[bytes]) -> bool:
        """Whether one of these is just being removed: who stores it waits for `settled`, or it may go after all."""
        return bool(self._doomed) and not self._doomed.isdisjoint(multihashes)

    @asynccontextmanager
    async def removing(self) -> AsyncIterator[None]:
        """Within the block blocks may be removed that are not in use as asked within it; one removal at a time."""
        async with self._removal:
            try:
                yield
            finally:
                self._doomed = frozenset()

    def doom(self, multihashes: Iterable[bytes]) -> None:
        """These will be removed within this `removing`: said before the first time it waits after asking."""
        self._doomed = frozenset(multihashes)

    def in_use(self) -> set[bytes]:
        """The multihashes of all that is in use by `using`."""
        return {cid.multihash for use in self._uses for cid in use.cids}

    @asynccontextmanager
    async def collecting(self) -> AsyncIterator[None]:
        """Within the block everything used and stored is noted, for `noted` to tell. For one collection at a time."""
        self._collecting = True
        self._take_notes()
        try:
            for use in list(self._uses):  # before the first removal, while which whoever stores would wait for it
                await self._note_all(use)
            yield
        finally:
            self._collecting = False
            self._end_notes()

    async def noted(self, multihashes: Sequence[bytes]) -> list[bool]:
        """For each of these whether it was used or stored since `collecting` was entered. To be asked in `removing`."""
        for use in list(self._uses):
            await self._note_all(use)
        notes = self._notes
        assert notes is not None, "only a collection asks"
        return [multihash in notes for multihash in multihashes]

    @property
    def incomplete(self) -> list[CID]:
        """The roots that are being completed."""
        return list(self._completing)

    @property
    def notes_bytes(self) -> int:
        """The memory that the notes take."""
        return 0 if self._notes is None else self._notes.size_bytes

    async def _note_all(self, use: _Use) -> None:
        """Note what `use` names; at the end nothing of it is missing that was named before this was called."""
        assert self._notes is not None
        while use.noted < len(use.cids):
            part = use.cids[use.noted : use.noted + _NOTED_AT_ONCE]
            self._notes.update(cid.multihash for cid in part)
            use.noted += len(part)
            if use.noted < len(use.cids):
                await trio.lowlevel.checkpoint()

    def _take_notes(self) -> None:
        if self._notes is None:
            self._notes = DigestSet()

    def _end_notes(self) -> None:
        if not (self._uses or self._completing or self._collecting):
            self._notes = None
