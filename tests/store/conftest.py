"""A store on the disk for each test, not synced: what a test of one process cannot see is not waited for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store


@pytest.fixture
def settings() -> StoreSettings:
    """Overridden where a test needs other settings."""
    return StoreSettings(durable=False)


@pytest.fixture
async def store(tmp_path: Path, settings: StoreSettings) -> AsyncIterator[Store]:
    async with open_store(tmp_path, settings) as opened:
        yield opened
