"""How a provider record is written: under SHA-256 of its key and the peer id, its times, key and addresses as value.

Under the hash, records of one key stand together whatever the key's length, and in the order of the Kademlia key space.
"""

from __future__ import annotations

import hashlib
import struct

from chiral.block.varint import VarintError, decode_varint, encode_varint
from chiral.errors import StoreError
from chiral.interface.peer import PeerId
from chiral.interface.providers import ProviderRecord

PREFIX_BYTES = 32
_TIMES = struct.Struct(">dd")


def key_prefix(key: bytes) -> bytes:
    """What the stored keys of all records of `key` begin with."""
    return hashlib.sha256(key).digest()


def encode_provider(record: ProviderRecord) -> bytes:
    """The stored value of `record`."""
    parts = [_TIMES.pack(record.received_at, record.expires_at), encode_varint(len(record.key)), record.key]
    for addr in record.addrs:
        parts += (encode_varint(len(addr)), addr)
    return b"".join(parts)


def provider_times(value: bytes | memoryview) -> tuple[float, float]:
    """`(received_at, expires_at)` of a stored value."""
    received_at, expires_at = _TIMES.unpack_from(value)
    return received_at, expires_at


def decode_provider(stored_key: bytes, value: bytes) -> ProviderRecord:
    """The record stored as `value` under `stored_key`; raises `StoreError` if it is not one."""
    try:
        received_at, expires_at = provider_times(value)
        key, at = _counted(value, _TIMES.size)
        addrs: list[bytes] = []
        while at < len(value):
            addr, at = _counted(value, at)
            addrs.append(addr)
    except (VarintError, struct.error) as error:
        raise StoreError("a provider record in the store cannot be read") from error
    return ProviderRecord(key, PeerId(stored_key[PREFIX_BYTES:]), tuple(addrs), received_at, expires_at)


def _counted(value: bytes, at: int) -> tuple[bytes, int]:
    length, start = decode_varint(value, at)
    if start + length > len(value):
        raise VarintError("ends short")
    return value[start : start + length], start + length
