"""Reads a node's configuration, defaults < profile < file < environment < command line; names what is wrong."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from chiral.config.data_dir import CONFIG_FILE, absolute, default_data_dir
from chiral.config.environment import annotation_at, read_environment, variable_of
from chiral.config.layers import DEFAULT_ORIGIN, Layer, leaves, merge, nest, origin_of
from chiral.config.model import NodeConfig
from chiral.config.profile import DEFAULT_PROFILE, read_profile
from chiral.errors import ConfigError, FileAccessError, InvalidAddressError
from chiral.host.addresses import parse_peer_address

ENVIRONMENT = "environment"
COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """The configuration and, for each dotted key that somebody gave, who gave it; the rest are defaults."""

    config: NodeConfig
    origins: Mapping[str, str]

    def entries(self) -> list[tuple[str, Any, str]]:
        """`(dotted key, JSON value, origin)` of every setting, in the model's order."""
        dumped = self.config.model_dump(mode="json")
        return [(key, value, origin_of(key, self.origins)) for key, value in _flat(dumped)]


def load_config(
    data_dir: Path, *, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> LoadedConfig:
    """The configuration of the node in `data_dir`.

    `flags` are dotted keys, None for those not given. Raises `ConfigError` naming the key, where it came from and what
    to do, and `FileAccessError` for a file that is there and cannot be read.
    """
    variables = os.environ if environ is None else environ
    data_dir = absolute(data_dir)
    file = data_dir / CONFIG_FILE
    layers = [
        Layer(str(file), read_file(file)),
        Layer(ENVIRONMENT, nest(read_environment(variables, NodeConfig))),
        Layer(COMMAND_LINE, nest({key: value for key, value in (flags or {}).items() if value is not None})),
    ]
    values, origins = merge(layers)
    profile = values.get("profile", DEFAULT_PROFILE)
    values, origins = merge([Layer(f"profile {profile}", read_profile(str(profile))), *layers])
    values["data_dir"] = data_dir
    if data_dir != default_data_dir({}):
        origins["data_dir"] = ENVIRONMENT if data_dir == default_data_dir(variables) else COMMAND_LINE
    try:
        loaded = LoadedConfig(NodeConfig.model_validate(values), origins)
    except ValidationError as error:
        raise explain(error, origins) from error
    if origins.get("bootstrap") == COMMAND_LINE:
        _require_peers(loaded.config.bootstrap)
    return loaded


def _require_peers(bootstrap: Sequence[str]) -> None:
    """Who types an address is told at once that it is none; a standing list may go stale, and the node goes without."""
    for address in bootstrap:
        try:
            parse_peer_address(address)
        except InvalidAddressError as error:
            raise ConfigError(f"bootstrap from the {COMMAND_LINE}: {error.message}", hint=error.hint) from error


def read_file(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, none if there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FileAccessError(f"cannot read {path}: {error.strerror}", hint="check who may read it") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text", hint="save it as UTF-8") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}", hint="correct the line it names") from error
    if "data_dir" in values:
        raise ConfigError(
            f"data_dir in {path}: the data directory is where the file lies", hint="use --data or CHIRAL_DATA"
        )
    return values


def explain(error: ValidationError, origins: Mapping[str, str]) -> ConfigError:
    """The first fault in `error` as one line: key, origin, what is wrong; the hint says what to do."""
    fault = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in fault["loc"] if not isinstance(part, int)) or "configuration"
    origin = origin_of(key, origins)
    if fault["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, [".".join(path) for path in _keys(NodeConfig)], n=1, cutoff=0.6)
        hint = f"did you mean {close[0]}?" if close else "'chiral config show' lists the settings"
        return ConfigError(f"{key} from {_the(origin)}: there is no such setting", hint=hint)
    said = str(fault["msg"]).removeprefix("Value error, ")
    given = fault.get("input")
    shows = isinstance(given, (str, int, float, bool)) and fault["type"] != "value_error" and not _is_secret(key)
    shown = f", not {given!r}" if shows else ""
    return ConfigError(f"{key} from {_the(origin)}: {said}{shown}", hint=_remedy(key, origin))


def _is_secret(key: str) -> bool:
    return annotation_at(NodeConfig, key.split(".")) is SecretStr


def _the(origin: str) -> str:
    return f"the {origin}" if origin in (ENVIRONMENT, COMMAND_LINE) else origin


def _remedy(key: str, origin: str) -> str:
    if origin == ENVIRONMENT:
        return f"set {variable_of(key)} to something else or unset it"
    if origin == COMMAND_LINE:
        return "'chiral run --help' says what the option takes"
    return "correct it" if origin == DEFAULT_ORIGIN else f"correct it in {origin}"


def _keys(model: type[BaseModel], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all settings of `model`."""
    found: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        below = field.annotation
        if isinstance(below, type) and issubclass(below, BaseModel):
            found += _keys(below, (*above, name))
        else:
            found.append((*above, name))
    return found


def _flat(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(".".join(path), value) for path, value in leaves(values)]
