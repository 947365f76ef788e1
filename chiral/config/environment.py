"""Settings from environment variables: `CHIRAL_<SECTION>__<KEY>`, for example `CHIRAL_HOST__MAX_CONNECTIONS=100`.

A list is written with commas or as a TOML array. Variables that begin with `CHIRAL_` and name no section are left
alone, because orchestrators set such ones for services called chiral.
"""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr

from chiral.config.data_dir import DATA_VARIABLE
from chiral.errors import ConfigError

PREFIX = "CHIRAL_"
CLIENT_VARIABLES = frozenset({DATA_VARIABLE, "CHIRAL_API_URL", "CHIRAL_API_TOKEN"})
"""Variables that speak to the command line, not to the configuration."""


def read_environment(environ: Mapping[str, str], model: type[BaseModel]) -> dict[str, Any]:
    """The settings in `environ` as dotted keys. Raises `ConfigError` for a list that cannot be read."""
    found: dict[str, Any] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in CLIENT_VARIABLES:
            continue
        path = name[len(PREFIX) :].lower().split("__")
        if path[0] not in model.model_fields or "" in path or (len(path) == 1 and _section(model, path[0])):
            continue
        found[".".join(path)] = _value(name, environ[name], annotation_at(model, path))
    return found


def variable_of(key: str) -> str:
    """The environment variable of a dotted key."""
    return PREFIX + key.upper().replace(".", "__")


def _section(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    annotation = model.model_fields[name].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def annotation_at(model: type[BaseModel], path: Sequence[str]) -> Any:
    """The declared type at `path`, or None where there is no such setting (the model refuses it later, by name)."""
    for part in path[:-1]:
        below = _section(model, part) if part in model.model_fields else None
        if below is None:
            return None
        model = below
    field = model.model_fields.get(path[-1])
    return field.annotation if field is not None else None


def _value(name: str, text: str, annotation: Any) -> Any:
    if text.startswith(("[", "{")) and annotation is not SecretStr:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(
                f"{name}: {text[:80]!r} cannot be read", hint='a list looks like ["one", "two"]'
            ) from error
    if typing.get_origin(annotation) in (tuple, list, frozenset, set):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
