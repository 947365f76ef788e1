"""Profiles: named sets of settings that come with Chiral and stand under the user's own."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from chiral.errors import ConfigError

DEFAULT_PROFILE = "default"


def profile_names() -> list[str]:
    """The names that `--profile` takes, sorted."""
    folder = resources.files("chiral.config").joinpath("profiles")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_profile(name: str) -> dict[str, Any]:
    """The settings of profile `name` as nested tables; raises `ConfigError` for a name that there is not."""
    if name not in profile_names():
        raise ConfigError(f"profile: there is no profile {name!r}", hint=f"there are {', '.join(profile_names())}")
    text = resources.files("chiral.config").joinpath("profiles", f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
