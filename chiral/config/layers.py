"""Layers of settings, one over another: merging nested tables and remembering which layer gave each value. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEFAULT_ORIGIN = "default"


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings as nested tables, and where they come from in words a person understands (`origin`)."""

    origin: str
    values: Mapping[str, Any]


def merge(layers: Sequence[Layer]) -> tuple[dict[str, Any], dict[str, str]]:
    """`(nested tables, origin of each dotted key)`; a later layer wins, tables merge, lists are replaced whole."""
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        for path, value in leaves(layer.values):
            if _put(merged, path, value):
                origins = {key: origin for key, origin in origins.items() if not key.startswith(".".join(path) + ".")}
            origins[".".join(path)] = layer.origin
    return merged, origins


def leaves(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that is not a table, with its path; an empty table is a leaf below the top."""
    for key, value in values.items():
        path = (*above, str(key))
        if isinstance(value, Mapping) and value:
            yield from leaves(value, path)
        else:
            yield path, value


def nest(dotted: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables from dotted keys."""
    nested: dict[str, Any] = {}
    for key, value in dotted.items():
        _put(nested, tuple(key.split(".")), value)
    return nested


def origin_of(key: str, origins: Mapping[str, str]) -> str:
    """Where `key`, or the nearest thing above or under it that was given, comes from."""
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        found = origins.get(".".join(parts[:length]))
        if found is not None:
            return found
    given = [origin for known, origin in origins.items() if known.startswith(key + ".")]
    return given[-1] if given else DEFAULT_ORIGIN


def _put(target: dict[str, Any], path: tuple[str, ...], value: Any) -> bool:
    """Set `path` in nested tables; True if a table that stood there was replaced."""
    table = target
    for part in path[:-1]:
        below = table.get(part)
        if not isinstance(below, dict):
            below = table[part] = {}
        table = below
    if value == {} and isinstance(table.get(path[-1]), dict):
        return False
    replaced = isinstance(table.get(path[-1]), dict)
    table[path[-1]] = value
    return replaced
