"""Reading a FileInfo's JSON from anybody: only its own shape is taken, in memory bounded by the limits.

Written by hand because a general JSON reader builds whatever it is sent: of 32 MiB of `[[],[],…` it makes
a gigabyte of lists.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from chiral.block.cid import CID, MAX_CID_BYTES, raw_cid
from chiral.errors import InvalidCidError, ProtocolError

MAX_U64 = (1 << 64) - 1
_SPACE = rb"[ \t\n\r]*+"
_OPEN = re.compile(_SPACE + rb"\{" + _SPACE)
_KEY = re.compile(rb'"(root_cid|name|size|chunk_cids|created_at)"' + _SPACE + b":" + _SPACE)
_NEXT = re.compile(_SPACE + b"([,}])" + _SPACE)
_STRING = re.compile(rb'"((?:[^"\\\x00-\x1f]++|\\.)*+)"', re.DOTALL)
_NUMBER = re.compile(rb"(0|[1-9][0-9]{0,19})(?![0-9.eE])")
_BYTES = re.compile(rb"\[([0-9, \t\n\r]*+)\]")
_LIST_OPEN = re.compile(rb"\[" + _SPACE)
_LIST_CLOSE = re.compile(rb"\]")
_LIST_NEXT = re.compile(_SPACE + rb"([,\]])" + _SPACE)

_BYTE_OF = {str(number).encode(): number for number in range(256)}
_RAW_SHA2_256_PREFIX = b"\x01\x55\x12\x20"
_MAX_CID_TEXT_BYTES = MAX_CID_BYTES * 8
"""Three digits and a comma a byte, and as much again for white space."""


@dataclass(frozen=True, slots=True)
class FileInfoLimits:
    """What is taken from anybody: bytes of JSON, chunks, and bytes of the name's JSON text."""

    json_bytes: int = 32 << 20
    chunks: int = 1 << 18
    name_bytes: int = 4096


DEFAULT_LIMITS = FileInfoLimits()


@dataclass(slots=True)
class FileInfoFields:
    """The five fields, as read."""

    root_cid: CID
    name: str
    size: int
    chunk_cids: tuple[CID, ...]
    created_at: int


def read_file_info(data: bytes, limits: FileInfoLimits) -> FileInfoFields:
    """The fields in `data`, each there once, in any order, with white space as JSON allows; raises `ProtocolError`."""
    if len(data) > limits.json_bytes:
        raise ProtocolError(f"FileInfo of {len(data)} bytes is over the limit of {limits.json_bytes}")
    reader = _Reader(data, limits)
    reader.take(_OPEN)
    found: dict[str, object] = {}
    more = b","
    while more == b",":
        key = reader.take(_KEY).decode()
        if key in found:
            raise reader.fault(f"has {key} twice")
        found[key] = reader.value(key)
        more = reader.take(_NEXT)
    if reader.at != len(data):
        raise reader.fault("goes on after its end")
    try:
        return FileInfoFields(**found)  # type: ignore[arg-type]
    except TypeError as error:
        raise ProtocolError("FileInfo lacks a field") from error


class _Reader:
    """A place in the JSON and what can be read from there."""

    def __init__(self, data: bytes, limits: FileInfoLimits) -> None:
        self._data = data
        self._limits = limits
        self.at = 0

    def fault(self, what: str) -> ProtocolError:
        return ProtocolError(f"FileInfo {what} (at byte {self.at})")

    def take(self, pattern: re.Pattern[bytes]) -> bytes:
        """What `pattern`, which must match here, holds in its group."""
        match = pattern.match(self._data, self.at)
        if match is None:
            raise self.fault("is not what it must be")
        self.at = match.end()
        return match[1] if pattern.groups else b""

    def value(self, key: str) -> object:
        if key == "name":
            return self._string()
        if key == "root_cid":
            return self._cid()
        if key == "chunk_cids":
            return self._cids()
        return self._number()

    def _number(self) -> int:
        number = int(self.take(_NUMBER))
        if number > MAX_U64:
            raise self.fault("has a number over 64 bits")
        return number

    def _string(self) -> str:
        text = self.take(_STRING)
        if len(text) > self._limits.name_bytes:
            raise self.fault(f"has a name over {self._limits.name_bytes} bytes")
        try:
            name = str(json.loads(b'"' + text + b'"'))
            name.encode()  # half a surrogate pair is no text
        except ValueError as error:
            raise self.fault("has a name that is not text") from error
        return name

    def _cids(self) -> tuple[CID, ...]:
        self.take(_LIST_OPEN)
        cids: list[CID] = []
        if _LIST_CLOSE.match(self._data, self.at):
            self.at += 1
            return ()
        more = b","
        while more == b",":
            if len(cids) == self._limits.chunks:
                raise self.fault(f"has over {self._limits.chunks} chunks")
            cids.append(self._cid())
            more = self.take(_LIST_NEXT)
            if more == b"]":
                break
        return tuple(cids)

    def _cid(self) -> CID:
        text = self.take(_BYTES)
        if len(text) > _MAX_CID_TEXT_BYTES:
            raise self.fault("has a CID that is too long")
        try:
            raw = bytes(map(_BYTE_OF.__getitem__, text.split(b",")))
        except KeyError:
            raw = self._spaced_bytes(text)
        if len(raw) == 36 and raw.startswith(_RAW_SHA2_256_PREFIX):
            return raw_cid(raw[4:])
        try:
            return CID.from_bytes(raw)
        except InvalidCidError as error:
            raise self.fault(f"has a CID that is none: {error}") from error

    def _spaced_bytes(self, text: bytes) -> bytes:
        try:
            return bytes(_BYTE_OF[part.strip(b" \t\n\r")] for part in text.split(b","))
        except KeyError as error:
            raise self.fault("has a CID that is not an array of bytes") from error
