"""Whether a value may stand under its key, and which of several is best: by the validator of the key's name space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from chiral.errors import ProtocolError
from chiral.interface.values import Standing


class Validator(Protocol):
    """What one name space says of its values. Pure: it is asked on the path of every PUT_VALUE."""

    def validate(self, key: bytes, value: bytes, now: float) -> Standing:
        """Whose `value` is and when it ends, if it may stand under `key` at `now` (Unix seconds).

        Raises `ProtocolError` that says why not.
        """
        ...

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        """The index of the best of `values`, all of them valid; the first of equals."""
        ...


Validators = Mapping[str, Validator]
NO_VALIDATORS: Validators = MappingProxyType({})


def namespace_of(key: bytes) -> str:
    """The name space of a value key: `pk` of `/pk/…`, `metadata` of `metadata:…`, empty where there is none."""
    head, found, _ = key[1:].partition(b"/") if key.startswith(b"/") else key.partition(b":")
    return head.decode("ascii", "replace") if found else ""


def validator_of(validators: Validators, key: bytes) -> Validator:
    """The validator of `key`; raises `ProtocolError` if its name space has none."""
    namespace = namespace_of(key)
    validator = validators.get(namespace)
    if validator is None:
        raise ProtocolError(f"no values are kept in the name space {namespace[:32]!r}")
    return validator


def best_first(validator: Validator, key: bytes, values: Sequence[bytes]) -> list[bytes]:
    """The different ones of `values`, all of them valid, from the best to the worst."""
    rest = list(dict.fromkeys(values))
    ordered = []
    while rest:
        ordered.append(rest.pop(validator.select(key, rest)))
    return ordered
