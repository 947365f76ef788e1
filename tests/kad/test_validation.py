"""Name spaces of value keys."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chiral.errors import ProtocolError
from chiral.interface.values import Standing
from chiral.kad.validation import best_first, namespace_of, validator_of


class Any:
    def validate(self, key: bytes, value: bytes, now: float) -> Standing:
        return Standing()

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        return values.index(max(values))


@pytest.mark.parametrize(
    ("key", "namespace"),
    [
        (b"/pk/\x12\x20abc", "pk"),
        (b"/ipns/a/b", "ipns"),
        (b"metadata:bafk", "metadata"),
        (b"/pk", ""),
        (b"plain", ""),
        (b"", ""),
        (b"\xff:x", "\ufffd"),
    ],
)
def test_the_name_space_of_a_key(key: bytes, namespace: str) -> None:
    assert namespace_of(key) == namespace


def test_a_name_space_without_validator_is_refused() -> None:
    validator = Any()
    assert validator_of({"pk": validator}, b"/pk/x") is validator
    with pytest.raises(ProtocolError, match="'ipns'"):
        validator_of({"pk": validator}, b"/ipns/x")
    with pytest.raises(ProtocolError):
        validator_of({}, b"no name space")


def test_the_different_values_in_order() -> None:
    assert best_first(Any(), b"k", [b"1", b"3", b"1", b"2"]) == [b"3", b"2", b"1"]
    assert best_first(Any(), b"k", []) == []
