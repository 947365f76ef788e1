"""A token bucket for each key, a bounded number of them: for limits by peer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from chiral.limiter.token_bucket import TokenBucket

K = TypeVar("K", bound=Hashable)


class KeyedBuckets(Generic[K]):
    """Buckets of one `rate` (a second) and `burst`, for at most `limit` keys.

    Past that the bucket unused for longest is forgotten, and its key begins anew with a full one: `limit` has to be
    well over the number of keys that are in use at the same time.
    """

    def __init__(self, *, rate: float, burst: float, limit: int) -> None:
        self._rate = rate
        self._burst = burst
        self._limit = limit
        self._buckets: OrderedDict[K, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def of(self, key: K, now: float) -> TokenBucket:
        """The bucket of `key`."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(rate=self._rate, burst=self._burst, now=now)
            if len(self._buckets) > self._limit:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket

    def set_rate(self, rate: float, now: float, *, burst: float | None = None) -> None:
        """From now on `rate` a second and `burst` at most, for every key; raises `ValueError` as `TokenBucket` does."""
        for bucket in self._buckets.values():
            bucket.set_rate(rate, now, burst=burst)
        self._rate = rate
        self._burst = self._burst if burst is None else burst
