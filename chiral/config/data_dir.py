"""Where a node keeps what it owns, and the names of the files it and its clients agree on; nothing here reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

DATA_VARIABLE = "CHIRAL_DATA"
CONFIG_FILE = "config.toml"


def default_data_dir(environ: Mapping[str, str] | None = None) -> Path:
    """`$CHIRAL_DATA`, else `~/.chiral`; absolute, whether it exists or not."""
    given = (os.environ if environ is None else environ).get(DATA_VARIABLE, "")
    return absolute(Path(given)) if given else Path.home() / ".chiral"


def absolute(path: Path) -> Path:
    """`path` with `~` expanded, made absolute against the working directory; symbolic links are kept."""
    return Path(os.path.abspath(path.expanduser()))
