"""Merging layers of settings: the last one wins, tables merge, and every value remembers who gave it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chiral.config.layers import DEFAULT_ORIGIN, Layer, leaves, merge, nest, origin_of

KEYS = st.sampled_from(["a", "b", "c"])
TABLES = st.recursive(
    st.dictionaries(KEYS, st.integers(), max_size=3),
    lambda below: st.dictionaries(KEYS, below, max_size=3),
    max_leaves=8,
)


def test_a_later_layer_wins_and_tables_merge() -> None:
    merged, origins = merge([Layer("one", {"host": {"x": 1, "y": 1}}), Layer("two", {"host": {"y": 2}})])
    assert merged == {"host": {"x": 1, "y": 2}}
    assert origins == {"host.x": "one", "host.y": "two"}


def test_lists_are_replaced_whole() -> None:
    merged, _ = merge([Layer("one", {"listen": ["a", "b"]}), Layer("two", {"listen": ["c"]})])
    assert merged == {"listen": ["c"]}


def test_a_value_in_the_place_of_a_table_takes_its_origins_too() -> None:
    merged, origins = merge([Layer("one", {"host": {"x": 1}}), Layer("two", {"host": 3})])
    assert merged == {"host": 3}
    assert origins == {"host": "two"}


def test_a_table_in_the_place_of_a_value() -> None:
    merged, origins = merge([Layer("one", {"host": 3}), Layer("two", {"host": {"x": 1}})])
    assert merged == {"host": {"x": 1}}
    assert origin_of("host.x", origins) == "two"


def test_an_empty_table_changes_nothing() -> None:
    merged, _ = merge([Layer("one", {"host": {"x": 1}}), Layer("two", {"host": {}})])
    assert merged == {"host": {"x": 1}}


def test_origin_of_what_nobody_gave_is_the_default() -> None:
    assert origin_of("host.z", {"api.x": "file"}) == DEFAULT_ORIGIN


def test_origin_of_a_section_is_whoever_gave_something_in_it() -> None:
    assert origin_of("host", {"host.x": "file"}) == "file"


@given(TABLES)
def test_nesting_is_the_inverse_of_flattening(values: dict[str, object]) -> None:
    flat = {".".join(path): value for path, value in leaves(values)}
    assert dict(leaves(nest(flat))) == dict(leaves(values))


@given(TABLES)
def test_merging_with_nothing_is_the_identity(values: dict[str, object]) -> None:
    merged, _ = merge([Layer("empty", {}), Layer("one", values), Layer("empty", {})])
    assert dict(leaves(merged)) == dict(leaves(values))
