"""Pins in LMDB, behind the `Pins` port.

A pin's key is its kind, codec, multihash and name, each of which tells its own length, so that the pins of one kind and
those of one CID stand together; its value is the CID in full and the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from chiral.block.cid import CID, RAW
from chiral.block.varint import decode_varint, encode_varint
from chiral.errors import ChiralError, StoreError, TooLargeError
from chiral.interface.pins import Pin, PinCounts, PinKind
from chiral.store.environment import Environment

if TYPE_CHECKING:
    from lmdb import Cursor

    from chiral.store.schema import ReadTransaction, WriteTransaction

MAX_NAME_BYTES = 255
_KIND_KEYS = {PinKind.DIRECT: b"d", PinKind.RECURSIVE: b"r"}
_KINDS = {key[0]: kind for kind, key in _KIND_KEYS.items()}


class LmdbPins:
    """The `Pins` of an environment. Raises `TooLargeError` for a name of over 255 bytes."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tables = environment.tables

    async def put(self, pin: Pin) -> bool:
        key, value = _key(pin), _value(pin)
        direct = _key(Pin(pin.cid, PinKind.DIRECT, pin.name))

        def apply(txn: WriteTransaction) -> bool:
            if pin.kind is PinKind.RECURSIVE:
                txn.delete(direct, db=self._tables.pins)
            return txn.put(key, value, overwrite=False, db=self._tables.pins)

        return await self._environment.write(apply, size_bytes=len(key) + len(value))

    async def remove(self, pins: list[Pin]) -> int:
        keys = [_key(pin) for pin in pins]
        return await self._environment.write(
            lambda txn: sum(txn.delete(key, db=self._tables.pins) for key in keys), grows=False
        )

    async def of(self, cid: CID) -> list[Pin]:
        prefixes = [kind + _place(cid) for kind in _KIND_KEYS.values()]

        def look(txn: ReadTransaction) -> list[Pin]:
            found: list[Pin] = []
            with txn.cursor(db=self._tables.pins) as cursor:
                for prefix in prefixes:
                    more = cursor.set_range(prefix)
                    while more and cursor.key().startswith(prefix):
                        found.append(_pin(cursor.key(), cursor.value()))
                        more = cursor.next()
            return found

        return await self._environment.read(look)

    async def page(self, after: Pin | None = None, limit: int = 1000, kind: PinKind | None = None) -> list[Pin]:
        return await self._environment.read(partial(self._page, after, limit, kind))

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        prefixes = [[kind + _place(cid) for kind in _KIND_KEYS.values()] for cid in cids]

        def look(txn: ReadTransaction) -> list[bool]:
            if not txn.stat(self._tables.pins)["entries"]:
                return [False] * len(prefixes)
            with txn.cursor(db=self._tables.pins) as cursor:
                return [
                    any(cursor.set_range(prefix) and cursor.key().startswith(prefix) for prefix in either)
                    for either in prefixes
                ]

        return await self._environment.read(look)

    async def any_linked(self) -> bool:
        def look(txn: ReadTransaction) -> bool:
            with txn.cursor(db=self._tables.pins) as cursor:
                return any(_linked(cursor, kind) for kind in _KIND_KEYS.values())

        return await self._environment.read(look)

    async def counts(self) -> PinCounts:
        def look(txn: ReadTransaction) -> PinCounts:
            total = txn.stat(self._tables.pins)["entries"]
            recursive = 0
            with txn.cursor(db=self._tables.pins) as cursor:
                more = cursor.set_range(_KIND_KEYS[PinKind.RECURSIVE])
                while more:
                    recursive += 1
                    more = cursor.next()
            return PinCounts(total - recursive, recursive)

        return await self._environment.read(look)

    def _page(self, after: Pin | None, limit: int, kind: PinKind | None, txn: ReadTransaction) -> list[Pin]:
        first = b"" if kind is None else _KIND_KEYS[kind]
        begin = first if after is None else max(first, _key(after) + b"\0")
        found: list[Pin] = []
        with txn.cursor(db=self._tables.pins) as cursor:
            more = cursor.set_range(begin) if begin else cursor.first()
            while more and len(found) < limit and cursor.key().startswith(first):
                found.append(_pin(cursor.key(), cursor.value()))
                more = cursor.next()
        return found


def _linked(cursor: Cursor[bytes], kind: bytes) -> bool:
    """Whether a pin of this kind has another codec than raw: one before it in the order, or one behind it."""
    before = cursor.set_range(kind) and cursor.key()[:1] == kind and cursor.key()[1] < RAW
    return before or (cursor.set_range(kind + bytes([RAW + 1])) and cursor.key()[:1] == kind)


def _place(cid: CID) -> bytes:
    return encode_varint(cid.codec) + cid.multihash


def _key(pin: Pin) -> bytes:
    name = pin.name.encode()
    if len(name) > MAX_NAME_BYTES:
        raise TooLargeError(f"a pin's name of {len(name)} bytes is over the limit of {MAX_NAME_BYTES}")
    return _KIND_KEYS[pin.kind] + _place(pin.cid) + name


def _value(pin: Pin) -> bytes:
    return encode_varint(pin.created_at) + pin.cid.buffer


def _pin(key: bytes, value: bytes) -> Pin:
    try:
        created_at, start = decode_varint(value)
        cid = CID.from_bytes(value[start:])
        return Pin(cid, _KINDS[key[0]], key[1 + len(_place(cid)) :].decode(), created_at)
    except (ValueError, KeyError, ChiralError) as error:
        raise StoreError("a pin in the store cannot be read", hint="restore the store from a backup") from error
