"""Reads an archive as its bytes come: roots first, then block after block. Verifies no CID.

Blocks are views of the bytes that were fed: nothing is copied but a section that lies across two feeds. The index of a
version 2 is not looked at: it repeats what the blocks themselves say.
"""

from __future__ import annotations

from collections.abc import Iterator

from chiral.block.block import Block
from chiral.block.cid import CID, MAX_CID_BYTES, raw_cid
from chiral.block.varint import MAX_VARINT_BYTES, VarintError, decode_varint
from chiral.car.header import MAX_HEADER_BYTES, V2_HEADER_BYTES, V2_PRAGMA, decode_header, decode_v2_header
from chiral.errors import InvalidCidError, MalformedContentError

MAX_BLOCK_BYTES = 2 << 20
_RAW_SHA2_256 = b"\x01\x55\x12\x20"
_RAW_SHA2_256_BYTES = 36

Buffer = bytes | bytearray | memoryview


class CarReader:
    """`feed` it bytes cut anywhere. `roots` is None until the header has come. Every fault is `MalformedContentError`.

    A length over the limits is refused when it is read, before anything is kept for it.
    """

    def __init__(self, *, max_block_bytes: int = MAX_BLOCK_BYTES) -> None:
        self._max_section_bytes = max_block_bytes + MAX_CID_BYTES
        self._held = bytearray()
        self._skip = 0
        self._end: int | None = None
        self._is_first = True
        self._awaits_v2 = False
        self._prefix_bytes = 0
        self.read_bytes = 0
        """Up to this byte of the archive everything was taken in."""
        self.version = 1
        self.roots: tuple[CID, ...] | None = None

    def feed(self, data: Buffer) -> Iterator[Block]:
        """The blocks that are whole now, one by one; those before damage are given before it is raised.

        To be gone through to its end before the next feed. `data` must not change while blocks of it are in use.
        """
        view, at = memoryview(data), 0
        while at < len(view):
            if self._skip or self._ended:
                at = self._pass_over(view, at)
                continue
            unit, at = self._gather(view, at)
            block = None if unit is None else self._take(unit)
            if block is not None:
                yield block

    def finish(self) -> None:
        """The archive has ended here; raises `MalformedContentError` if it should not have."""
        if self.roots is None:
            raise MalformedContentError("not an archive: it ends before its header does")
        if not self._ended and (self._held or self._end is not None):
            raise MalformedContentError(
                f"the archive is cut short: it ends in the middle of a block at byte {self.read_bytes}"
            )

    @property
    def _ended(self) -> bool:
        """What follows now is an index, or padding."""
        return self._end is not None and self.read_bytes >= self._end

    def _pass_over(self, view: memoryview, at: int) -> int:
        if not self._skip:
            return len(view)
        count = min(self._skip, len(view) - at)
        self._skip -= count
        self.read_bytes += count
        return at + count

    def _gather(self, view: memoryview, at: int) -> tuple[memoryview | None, int]:
        """The next header or section if it is whole now, and where in `view` to go on; else what there is is held."""
        if not self._held:
            size = self._unit_bytes(view, at)
            if size is not None and at + size <= len(view):
                return view[at : at + size], at + size
            self._held += view[at:]
            return None, len(view)
        while True:
            size = self._unit_bytes(self._held, 0)
            if size is not None and len(self._held) >= size:
                unit, self._held = memoryview(self._held), bytearray()
                return unit, at
            if at == len(view):
                return None, at
            more = view[at : at + (1 if size is None else size - len(self._held))]
            self._held += more
            at += len(more)

    def _unit_bytes(self, buffer: Buffer, at: int) -> int | None:
        """How long what begins at `at` is; None while that cannot be told."""
        if self._awaits_v2:
            self._prefix_bytes = 0
            return V2_HEADER_BYTES
        try:
            length, start = decode_varint(buffer, at)
        except VarintError as error:
            begun = bytes(buffer[at : at + MAX_VARINT_BYTES])
            if len(begun) < MAX_VARINT_BYTES and all(byte & 0x80 for byte in begun):
                return None
            raise MalformedContentError(f"a damaged archive: no length at byte {self.read_bytes} ({error})") from error
        self._prefix_bytes = start - at
        limit = self._max_section_bytes if self.roots is not None else MAX_HEADER_BYTES
        if length > limit:
            raise MalformedContentError(
                f"a damaged archive: {length} bytes announced at byte {self.read_bytes}, over {limit}"
            )
        size = self._prefix_bytes + length
        if self._end is not None and self.read_bytes + size > self._end:
            raise MalformedContentError(f"a damaged archive: the block at byte {self.read_bytes} runs past its end")
        return size

    def _take(self, unit: memoryview) -> Block | None:
        """Take in a whole header or section; the block if it is one."""
        body = unit[self._prefix_bytes :]
        if self._awaits_v2:
            self._take_v2_header(body)
        elif self.roots is None:
            self._take_header(bytes(body))
        elif body:
            block = self._block(body)
            self.read_bytes += len(unit)
            return block
        self.read_bytes += len(unit)
        return None

    def _take_header(self, header: bytes) -> None:
        if self._is_first and header == V2_PRAGMA[1:]:
            self.version, self._awaits_v2 = 2, True
        elif not header:
            raise MalformedContentError("not an archive: it has no header")
        else:
            self.roots = decode_header(header)
        self._is_first = False

    def _take_v2_header(self, encoded: memoryview) -> None:
        header = decode_v2_header(encoded)
        self._awaits_v2 = False
        self._skip = header.data_offset - self.read_bytes - len(encoded)
        self._end = header.data_offset + header.data_size

    def _block(self, section: memoryview) -> Block:
        start = _RAW_SHA2_256_BYTES
        if section[:4] == _RAW_SHA2_256 and len(section) >= start:
            return Block(raw_cid(bytes(section[4:start])), section[start:])
        try:
            cid, start = CID.read_from(section)
        except InvalidCidError as error:
            raise MalformedContentError(f"a damaged archive: {error.message} at byte {self.read_bytes}") from error
        return Block(cid, section[start:])
