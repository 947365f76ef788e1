"""What people say of the files held here, and how they are found again by it: tags, lifetimes, search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.errors import NotFoundError, UsageError
from chiral.interface.catalogue import Catalogue, FileQuery, FileRecord, Place

MAX_TAGS = 64
MAX_TAG_CHARS = 64
MAX_LIFETIME_S = 100 * 366 * 86_400


class Labels:
    """The catalogue of one node, as people ask it."""

    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock

    async def find(self, cid: CID) -> FileRecord:
        """What is catalogued under `cid`, be it a Chiral root or a DAG root; raises `NotFoundError`."""
        record = await self._catalogue.get(cid) or await self._catalogue.by_dag_root(cid)
        if record is None:
            raise NotFoundError(f"{cid} is not a file held here", hint="'chiral ls' shows those that are")
        return record

    async def held(self, roots: Sequence[CID]) -> list[bool]:
        """For each whether it is catalogued as a root."""
        return [record is not None for record in await self._catalogue.get_many(roots)]

    async def search(self, query: FileQuery, after: Place | None = None, limit: int = 100) -> list[FileRecord]:
        """Up to `limit` files that fit, those added last first, beginning behind the place `after`."""
        return await self._catalogue.search(query, after, limit)

    async def tag(self, cid: CID, add: Iterable[str], remove: Iterable[str]) -> FileRecord:
        """Give a file tags and take others from it. Raises `NotFoundError`, and `UsageError` for what is no tag."""
        added, removed = checked_tags(add), checked_tags(remove)

        def change(record: FileRecord) -> FileRecord:
            tags = ({*record.tags} - {*removed}) | {*added}
            if len(tags) > MAX_TAGS:
                raise UsageError(f"a file has at most {MAX_TAGS} tags")
            return replace(record, tags=tuple(sorted(tags)))

        record = await self.find(cid)
        return await self._catalogue.amend(record.root, change) or await self.find(cid)

    async def expire(self, cid: CID, lifetime_s: float | None) -> FileRecord:
        """Have a file removed after so many seconds from now; None: never. Raises `NotFoundError`."""
        record = await self.find(cid)
        expires_at = expiry_of(lifetime_s, self._clock)
        changed = await self._catalogue.amend(record.root, lambda held: replace(held, expires_at=expires_at))
        return changed or await self.find(cid)


def expiry_of(lifetime_s: float | None, clock: Clock) -> int | None:
    """When something that is to live so many seconds from now expires; raises `UsageError`."""
    if lifetime_s is None:
        return None
    if not 0 < lifetime_s <= MAX_LIFETIME_S:
        raise UsageError("a lifetime is over 0 seconds and at most 100 years", hint="'never' is without an end")
    return int(clock.wall() + lifetime_s)


def checked_tags(tags: Iterable[str]) -> list[str]:
    """The tags without the blanks around them; raises `UsageError` for one that is empty, too long or not printable."""
    found = [tag.strip() for tag in tags]
    for tag in found:
        if not tag or len(tag) > MAX_TAG_CHARS or not tag.isprintable() or not _is_text(tag):
            raise UsageError(f"{tag[:80]!r} is not a tag", hint=f"a tag is 1 to {MAX_TAG_CHARS} printable characters")
    return found


def _is_text(tag: str) -> bool:
    try:
        tag.encode()
    except UnicodeEncodeError:
        return False
    return True
