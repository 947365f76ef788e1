"""Holds what is stored against its CIDs, a slice of the blocks at a time, and takes damaged ones out of service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from chiral.block.cid import CID, RAW
from chiral.block.varint import VarintError
from chiral.encoding.compression_frame import BlockPacker
from chiral.errors import IntegrityError, InvalidCidError
from chiral.store.block_table import Resting, codec_of_block, find_block, keys_of_blocks
from chiral.store.environment import Environment
from chiral.store.quarantine import quarantine_block

if TYPE_CHECKING:
    from chiral.store.schema import AnyTransaction, ViewTransaction, WriteTransaction


@dataclass(frozen=True, slots=True)
class Damage:
    """A block that is not what its CID names, and how that shows."""

    cid: CID
    reason: str


@dataclass(frozen=True, slots=True)
class CheckedSlice:
    """What came of a slice: how much was read, up to which multihash (None: to the end), and what is damaged.

    `unverifiable` blocks have a hash that this node cannot compute.
    """

    blocks: int
    size_bytes: int
    last: bytes | None
    damaged: tuple[Damage, ...]
    unverifiable: int


class BlockCheck:
    """Checks the blocks of one environment; for one task."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tables = environment.tables
        self._packer = BlockPacker(None)

    async def check(self, after: bytes, limit_bytes: int, limit_blocks: int) -> CheckedSlice:
        """Hash the blocks after multihash `after` until one of the limits is reached; in a thread, without copies."""
        return await self._environment.measure(partial(self._check, after, limit_bytes, limit_blocks))

    async def quarantine(self, damaged: Sequence[Damage], now: float) -> list[Damage]:
        """Take those out of service that still are damaged, in one transaction; returns them."""

        def apply(txn: WriteTransaction) -> list[Damage]:
            # One that was taken away and put again meanwhile is sound.
            still = [damage for damage in damaged if self._is_damaged(damage.cid, txn)]
            return [damage for damage in still if quarantine_block(txn, self._tables, damage.cid, damage.reason, now)]

        return await self._environment.write(apply, grows=False)

    def _check(self, after: bytes, limit_bytes: int, limit_blocks: int, txn: ViewTransaction) -> CheckedSlice:
        blocks = size = unverifiable = 0
        damaged: list[Damage] = []
        last: bytes | None = after
        keys = keys_of_blocks(txn, self._tables, after)
        while size < limit_bytes and blocks < limit_blocks:
            key = next(keys, None)
            if key is None:
                last = None
                break
            last = key = bytes(key)
            found = find_block(txn, self._tables, key)
            if found is None:  # pragma: no cover - one transaction sees one state
                continue
            blocks += 1
            size += len(found.value)
            cid = CID(1, self._codec(key, txn), key)
            try:
                reason = self._fault(cid, found)
            except InvalidCidError:
                unverifiable += 1
                continue
            if reason is not None:
                damaged.append(Damage(cid, reason))
        return CheckedSlice(blocks, size, last, tuple(damaged), unverifiable)

    def _codec(self, key: bytes, txn: AnyTransaction) -> int:
        try:
            return codec_of_block(txn, self._tables, key)
        except VarintError:  # the codec is only part of the name: the block may be whole
            return RAW

    def _fault(self, cid: CID, found: Resting[memoryview]) -> str | None:
        """What is wrong with the block, None if nothing; raises `InvalidCidError` for a hash that is not known."""
        try:
            cid.require_supported()
        except VarintError as error:
            return f"its name cannot be read: {error}"
        if not found.packed:
            return None if cid.matches(found.value) else "its bytes are not what its CID names"
        try:
            plain = self._packer.unpack(found.value)
        except IntegrityError as error:
            return error.message
        return None if cid.matches(plain) else "its bytes are not what its CID names"

    def _is_damaged(self, cid: CID, txn: WriteTransaction) -> bool:
        found = find_block(txn, self._tables, cid.multihash)
        return found is not None and self._fault(cid, found) is not None
