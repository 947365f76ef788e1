"""Reads an archive as its bytes come: roots first, then block after block. Holds one block; verifies no CID.

The index of a version 2 is not looked at: it repeats what the blocks themselves say.
"""

from __future__ import annotations

from chiral.block.block import Block
from chiral.block.cid import CID, MAX_CID_BYTES
from chiral.block.varint import MAX_VARINT_BYTES, VarintError, decode_varint
from chiral.car.header import MAX_HEADER_BYTES, V2_HEADER_BYTES, V2_PRAGMA, decode_header, decode_v2_header
from chiral.errors import InvalidCidError, MalformedContentError

MAX_BLOCK_BYTES = 2 << 20


class CarReader:
    """`feed` it bytes cut anywhere. `roots` is None until the header has come. Every fault is `MalformedContentError`.

    A length over the limits is refused when it is read, before anything is kept for it.
    """

    def __init__(self, *, max_block_bytes: int = MAX_BLOCK_BYTES) -> None:
        self._max_section_bytes = max_block_bytes + MAX_CID_BYTES
        self._buffer = bytearray()
        self._read = 0
        self._skip = 0
        self._end: int | None = None
        self._is_first = True
        self._awaits_v2 = False
        self.version = 1
        self.roots: tuple[CID, ...] | None = None

    def feed(self, data: bytes | bytearray | memoryview) -> list[Block]:
        """The blocks that are whole now."""
        self._buffer += data
        blocks: list[Block] = []
        while self._step(blocks):
            pass
        return blocks

    def finish(self) -> None:
        """The archive has ended here; raises `MalformedContentError` if it should not have."""
        done = self._end is not None and self._read >= self._end
        if self.roots is None:
            raise MalformedContentError("not an archive: it ends before its header does")
        if not done and (self._buffer or self._end is not None):
            raise MalformedContentError(
                f"the archive is cut short: it ends in the middle of a block at byte {self._read}"
            )

    def _step(self, blocks: list[Block]) -> bool:
        """Take the next thing out of the buffer; False when more bytes are needed."""
        if self._skip:
            count = min(self._skip, len(self._buffer))
            self._take(count)
            self._skip -= count
            return bool(self._buffer) and not self._skip
        if self._end is not None and self._read >= self._end:
            self._buffer.clear()  # an index, or padding
            return False
        if self._awaits_v2:
            return self._take_v2_header()
        section = self._take_section()
        if section is None:
            return False
        if self.roots is None:
            self._take_header(section)
        elif section:
            blocks.append(self._block(section))
        return True

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._read += count
        return taken

    def _take_section(self) -> bytes | None:
        try:
            length, start = decode_varint(self._buffer)
        except VarintError as error:
            if len(self._buffer) < MAX_VARINT_BYTES and all(byte & 0x80 for byte in self._buffer):
                return None
            raise MalformedContentError(f"a damaged archive: no length at byte {self._read} ({error})") from error
        limit = self._max_section_bytes if self.roots is not None else MAX_HEADER_BYTES
        if length > limit:
            raise MalformedContentError(
                f"a damaged archive: {length} bytes announced at byte {self._read}, over {limit}"
            )
        if self._end is not None and self._read + start + length > self._end:
            raise MalformedContentError(f"a damaged archive: the block at byte {self._read} runs past its end")
        if len(self._buffer) < start + length:
            return None
        return self._take(start + length)[start:]

    def _take_header(self, header: bytes) -> None:
        if self._is_first and len(header) + 1 == len(V2_PRAGMA) and header == V2_PRAGMA[1:]:
            self.version, self._awaits_v2 = 2, True
        else:
            if not header:
                raise MalformedContentError("not an archive: it has no header")
            self.roots = decode_header(header)
        self._is_first = False

    def _take_v2_header(self) -> bool:
        if len(self._buffer) < V2_HEADER_BYTES:
            return False
        header = decode_v2_header(self._take(V2_HEADER_BYTES))
        self._awaits_v2 = False
        self._skip = header.data_offset - self._read
        self._end = header.data_offset + header.data_size
        return True

    def _block(self, section: bytes) -> Block:
        try:
            cid, start = CID.read_from(section)
        except InvalidCidError as error:
            raise MalformedContentError(f"a damaged archive: {error.message} before byte {self._read}") from error
        return Block(cid, section[start:])
