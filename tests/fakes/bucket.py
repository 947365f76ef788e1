"""A bucket in memory: the fake of `Bucket` for tests of what is built on one.

It counts requests and can be told to fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from chiral.errors import StoreError
from chiral.store.s3_objects import MAX_KEYS, Found, Listing


class MemoryBucket:
    """Objects in a dictionary.

    Without `conditional` it puts whatever the condition. `fault(verb, key)` may raise before a request is carried out,
    `late(verb, key)` after it was, before the answer.
    """

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, int | None]] = {}
        self.asked: Counter[str] = Counter()
        self.closed = False
        self.conditional = True
        self.fault: Callable[[str, str], None] = lambda verb, key: None
        self.late: Callable[[str, str], None] = lambda verb, key: None

    def get(self, key: str) -> bytes | None:
        self._ask("get", key)
        held = self.objects.get(key)
        self.late("get", key)
        return None if held is None else held[0]

    def head(self, key: str) -> Found | None:
        self._ask("head", key)
        held = self.objects.get(key)
        self.late("head", key)
        return None if held is None else Found(len(held[0]), held[1])

    def put(self, key: str, data: bytes, codec: int | None = None) -> None:
        self._ask("put", key)
        assert type(data) is bytes
        self.objects[key] = (data, codec)
        self.late("put", key)

    def put_new(self, key: str, data: bytes) -> bool:
        self._ask("put", key)
        assert type(data) is bytes
        new = not self.conditional or key not in self.objects
        if new:
            self.objects[key] = (data, None)
        self.late("put", key)
        return new

    def delete(self, keys: Sequence[str]) -> None:
        assert 0 < len(keys) <= MAX_KEYS
        self._ask("delete", keys[0])
        for key in keys:
            self.objects.pop(key, None)
        self.late("delete", keys[0])

    def list(self, prefix: str, after: str, limit: int) -> Listing:
        self._ask("list", after)
        keys = sorted(key for key in list(self.objects) if key.startswith(prefix) and key > after)
        page = keys[: min(limit, MAX_KEYS)]
        listing = Listing([(key, len(self.objects[key][0])) for key in page], len(page) < len(keys))
        self.late("list", after)
        return listing

    def close(self) -> None:
        self.closed = True

    def _ask(self, verb: str, key: str) -> None:
        self.asked[verb] += 1
        self.fault(verb, key)


def failing(verb: str, part: str = "") -> Callable[[str, str], None]:
    """A fault of every request of `verb` for a key with `part` in it."""

    def raise_fault(asked: str, key: str) -> None:
        if asked == verb and part in key:
            raise StoreError("the object store answers 500 InternalError")

    return raise_fault
