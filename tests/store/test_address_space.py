"""A machine that lets a process have little address space: the store says what to lower, and then works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHILD = """
import resource, sys, trio
from pathlib import Path
from chiral.block.block import Block
from chiral.errors import StoreError
from chiral.store.settings import StoreSettings
from chiral.store.store import open_store

async def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY))
    try:
        async with open_store(Path(sys.argv[1])):
            print("opened")
    except StoreError as error:
        print(error)
    async with open_store(Path(sys.argv[1]), StoreSettings(map_size_bytes=1 << 28)) as store:
        await store.blocks.put_many([Block.of(b"fits")])
        print("fits")

trio.run(main)
"""


def test_little_address_space(tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    first, second = child.stdout.splitlines()
    assert "address space" in first
    assert "store.map_size_bytes" in first
    assert second == "fits"
