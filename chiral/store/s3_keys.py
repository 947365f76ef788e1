"""What blocks are called in an object store: pure, and in the order of multihashes.

`<prefix>blocks/1220ab/cd01…` holds a block's bytes: its multihash in hex, cut after three bytes (for sha2-256 that
makes 256 folders) and then after every 64. An empty object of that name with the codec appended, `….70`, stands beside
each block that is not raw. `/` and `.` sort before every hex digit, so keys sort as the multihashes do.
"""

from __future__ import annotations

from dataclasses import dataclass

_BLOCKS = "blocks/"
_FAN_OUT_CHARS = 6
_NAME_CHARS = 128
"""A folder's or file's name in stores that keep objects as files; those end at 255."""


@dataclass(frozen=True, slots=True)
class KeySpace:
    """The keys under one `prefix`, which is empty or ends with a slash."""

    prefix: str

    @property
    def blocks(self) -> str:
        """What the keys of all blocks begin with, and no other key."""
        return self.prefix + _BLOCKS

    def of(self, multihash: bytes) -> str:
        """The key of the block's bytes."""
        text = multihash.hex()
        rest = text[_FAN_OUT_CHARS:]
        names = [text[:_FAN_OUT_CHARS], *(rest[at : at + _NAME_CHARS] for at in range(0, len(rest), _NAME_CHARS))]
        return self.blocks + "/".join(names)

    def mark_of(self, multihash: bytes, codec: int) -> str:
        """The key of the empty object that says which codec the block has."""
        return f"{self.of(multihash)}.{codec:x}"

    def read(self, key: str) -> tuple[bytes, int | None] | None:
        """`(multihash, None)` of a block's key, `(multihash, codec)` of a mark's; None for a key of neither."""
        if not key.startswith(self.blocks):
            return None
        text, dot, mark = key[len(self.blocks) :].partition(".")
        try:
            multihash = bytes.fromhex(text.replace("/", ""))
            codec = int(mark, 16) if dot else None
        except ValueError:
            return None
        if not multihash or (codec is not None and codec < 0):
            return None
        canonical = self.of(multihash) if codec is None else self.mark_of(multihash, codec)
        return (multihash, codec) if canonical == key else None
