"""Versions: a name stands for a row of contents, numbered from 1, of which the last is what the name means.

A version is a name for a root and holds nothing by itself: chunks that versions share are stored once, because equal
chunks have one CID. Numbers are never used again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import trio

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.errors import ChiralError, InvalidCidError, NotFoundError, StoreError, UsageError
from chiral.interface.datastore import Datastore

TABLE = "versions"
MAX_NAME_BYTES = 1024
_MARK = "@"
_PAGE = 1000
_NUMBER_BYTES = 4
_HEAD = bytes(_NUMBER_BYTES)
"""Number 0: what is kept of the name as a whole."""
_LAST = b"\xff" * (_NUMBER_BYTES + 1)
_MOST_VERSIONS = (1 << 8 * _NUMBER_BYTES) - 2


@dataclass(frozen=True, slots=True)
class Version:
    """Version `number` of `name`: the content `root`, of `size` bytes, entered at `added_at` (Unix seconds)."""

    name: str
    number: int
    root: CID
    size: int
    added_at: int


@dataclass(frozen=True, slots=True)
class VersionedName:
    """A name and the number of its latest version."""

    name: str
    latest: int


class Versions:
    """The versions of one node. Every method raises `StoreError` for faults of the store."""

    def __init__(self, datastore: Datastore, clock: Clock) -> None:
        self._datastore = datastore
        self._clock = clock
        self._changing = trio.Lock()

    async def add(self, name: str, root: CID, size: int) -> Version:
        """Make `root` the latest version of `name`; where it is that already, the version that is there.

        Raises `UsageError` for what cannot be a name.
        """
        key = _key(checked_name(name))
        async with self._changing:
            last, before = await self._head(key)
            latest = None if before == 0 else await self._version(key, before)
            if latest is not None and latest.root == root:
                return latest
            if last >= _MOST_VERSIONS:
                raise UsageError(f"{name!r} has had as many versions as a name can have")
            version = Version(name, last + 1, root, size, int(self._clock.wall()))
            items = {_at(key, version.number): _encode(version)}
            await self._datastore.put_many(TABLE, {key + _HEAD: _encode_head(name, last + 1, last + 1), **items})
            return version

    def check(self, name: str) -> None:
        """Raise `UsageError` if there can be no versions of `name`."""
        checked_name(name)

    async def restore(self, name: str, number: int) -> Version:
        """Make an earlier version the latest once more, under a new number. Raises `NotFoundError`."""
        earlier = await self.get(name, number)
        return await self.add(name, earlier.root, earlier.size)

    async def remove(self, name: str, number: int) -> Version:
        """Forget a version; its content stays as long as anything else keeps it. Raises `NotFoundError`."""
        key = _key(name)
        async with self._changing:
            version = await self.get(name, number)
            last, latest = await self._head(key)
            if latest == number:
                left = [other.number for other in await self._all(key) if other.number != number]
                latest = max(left, default=0)
            head = _encode_head(name, last, latest)
            await self._datastore.put_many(TABLE, {_at(key, number): None, key + _HEAD: head})
            return version

    async def get(self, name: str, number: int | None = None) -> Version:
        """Version `number` of `name`, without one the latest; raises `NotFoundError`."""
        key = _key(name)
        wanted = (await self._head(key))[1] if number is None else number
        version = await self._version(key, wanted) if 0 < wanted <= _MOST_VERSIONS else None
        if version is None:
            what = repr(name) if number is None else f"version {number} of {name!r}"
            raise NotFoundError(f"there is no {what}", hint="'chiral versions' lists the names that have versions")
        return version

    async def page(self, name: str, after: int = 0, limit: int = _PAGE) -> list[Version]:
        """Up to `limit` versions of `name` in order, those after number `after`; an empty list where there are none."""
        key = _key(name)
        start = _at(key, min(max(after, 0), _MOST_VERSIONS))
        items = await self._datastore.page(TABLE, prefix=key, after=start, limit=limit)
        return [_decode(data) for _, data in items]

    async def names(self, after: str = "", limit: int = 100) -> list[VersionedName]:
        """Up to `limit` names that have versions, in no order that people know, those after the name `after`."""
        at = _key(after) + _LAST if after else b""
        found: list[VersionedName] = []
        while len(found) < limit:
            items = await self._datastore.page(TABLE, after=at, limit=1)
            if not items:
                break
            at, data = items[0]
            if at.endswith(_HEAD):
                name, _, latest = _decode_head(data)
                found += [VersionedName(name, latest)] if latest else []
            at = at[:-_NUMBER_BYTES] + _LAST
        return found

    async def resolve(self, text: str) -> CID | None:
        """The content that `text` means: `NAME@N`, or `NAME` for its latest version; None if it is neither."""
        name, mark, number = text.rpartition(_MARK)
        try:
            if mark and name and number.isascii() and number.isdigit():
                return (await self.get(name, int(number))).root
        except NotFoundError:
            pass  # it may be a name that looks like that
        try:
            return (await self.get(text)).root
        except NotFoundError:
            return None

    async def resolve_any(self, text: str) -> CID:
        """The CID that `text` writes, or else what it means as a version; raises `NotFoundError`."""
        try:
            return CID.parse(text)
        except InvalidCidError:
            found = await self.resolve(text.strip())
        if found is None:
            raise NotFoundError(f"{text[:80]!r} is neither a CID nor a name that has versions here")
        return found

    async def _head(self, key: bytes) -> tuple[int, int]:
        """The last number that was given under a name, and the latest version that is there; 0 for none."""
        data = await self._datastore.get(TABLE, key + _HEAD)
        return (0, 0) if data is None else _decode_head(data)[1:]

    async def _version(self, key: bytes, number: int) -> Version | None:
        data = await self._datastore.get(TABLE, _at(key, number))
        return None if data is None else _decode(data)

    async def _all(self, key: bytes) -> list[Version]:
        found: list[Version] = []
        after = _at(key, 0)
        while items := await self._datastore.page(TABLE, prefix=key, after=after, limit=_PAGE):
            found += [_decode(data) for _, data in items]
            after = items[-1][0]
        return found


def checked_name(name: str) -> str:
    """`name`, if versions can be kept under it; raises `UsageError`."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if not name.strip() or not 0 < size <= MAX_NAME_BYTES or not name.isprintable():
        raise UsageError(f"{name[:80]!r} cannot have versions", hint=f"a name is text of 1 to {MAX_NAME_BYTES} bytes")
    try:
        CID.parse(name)
    except InvalidCidError:
        return name
    raise UsageError(f"{name[:80]!r} is a CID, which always means the same content", hint="give another name")


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


def _at(key: bytes, number: int) -> bytes:
    return key + number.to_bytes(_NUMBER_BYTES, "big")


def _encode_head(name: str, last: int, latest: int) -> bytes:
    return json.dumps({"name": name, "last": last, "latest": latest}).encode()


def _decode_head(data: bytes) -> tuple[str, int, int]:
    try:
        fields = json.loads(data)
        return str(fields["name"]), int(fields["last"]), int(fields["latest"])
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable() from error


def _encode(version: Version) -> bytes:
    fields = {
        "name": version.name,
        "number": version.number,
        "root": version.root.buffer.hex(),
        "size": version.size,
        "added_at": version.added_at,
    }
    return json.dumps(fields).encode()


def _decode(data: bytes) -> Version:
    try:
        fields = json.loads(data)
        root = CID.from_bytes(bytes.fromhex(fields["root"]))
        return Version(str(fields["name"]), int(fields["number"]), root, int(fields["size"]), int(fields["added_at"]))
    except (ValueError, KeyError, TypeError, ChiralError) as error:
        raise _unreadable() from error


def _unreadable() -> StoreError:
    return StoreError("a version in the store cannot be read", hint="restore the store from a backup")
