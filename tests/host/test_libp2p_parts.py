"""The import hook: what is left out of the process, and that it stands back where py-libp2p is loaded whole."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chiral.host import libp2p_parts

ROOT = Path(__file__).parents[2]


def in_a_fresh_process(code: str) -> Any:
    """What `code` prints as JSON in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_a_node_loads_none_of_what_it_does_not_run() -> None:
    loaded = in_a_fresh_process("import json, sys, chiral.host.host; print(json.dumps(sorted(sys.modules)))")
    left_out = (
        "libp2p.pubsub.pubsub",
        "libp2p.kad_dht",
        "libp2p.relay",
        "libp2p.discovery",
        "libp2p.bitswap",
        "aioquic",
    )
    assert not [name for name in loaded if name.startswith(left_out)]
    assert "libp2p.security.noise.transport" in loaded


def test_where_libp2p_was_loaded_whole_it_stays_whole() -> None:
    code = (
        "import json, libp2p, chiral.host.host; from chiral.host import libp2p_parts; "
        "print(json.dumps([libp2p_parts.load(), callable(libp2p.new_host)]))"
    )
    assert in_a_fresh_process(code) == [False, True]


def test_in_force_it_is_not_installed_again() -> None:
    before = len(sys.meta_path)
    assert libp2p_parts.load()
    assert len(sys.meta_path) == before


def test_a_name_of_a_part_left_out_stands_for_it_and_is_always_the_same() -> None:
    import libp2p.rcmgr as hollow

    assert hollow.ResourceManager is hollow.ResourceManager
    assert "Left out" in (hollow.ResourceManager.__doc__ or "")
    assert not hasattr(hollow, "__wrapped__")


def test_without_py_libp2p_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "libp2p")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="py-libp2p is not installed"):
        libp2p_parts.load()
