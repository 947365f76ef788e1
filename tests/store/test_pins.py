"""Pins in LMDB: the port's promises, and that they outlive the process."""

from __future__ import annotations

from pathlib import Path

import lmdb
import pytest

from chiral.block.cid import CID
from chiral.errors import StoreError
from chiral.interface.pins import Pin, PinKind
from chiral.store.pins import LmdbPins
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from tests.contracts.pins import PinsContract


class TestLmdbPins(PinsContract):
    @pytest.fixture
    def pins(self, store: Store) -> LmdbPins:
        return store.pins


async def test_pins_outlive_the_process(tmp_path: Path, settings: StoreSettings) -> None:
    pin = Pin(CID.of(b"kept"), PinKind.RECURSIVE, "name", 1_700_000_000)
    async with open_store(tmp_path, settings) as store:
        await store.pins.put(pin)
    async with open_store(tmp_path, settings) as store:
        assert await store.pins.of(pin.cid) == [pin]


async def test_a_damaged_pin_is_named(tmp_path: Path, settings: StoreSettings) -> None:
    async with open_store(tmp_path, settings) as store:
        await store.pins.put(Pin(CID.of(b"kept"), PinKind.DIRECT))
    with lmdb.open(str(tmp_path / "store"), max_dbs=64) as environment, environment.begin(write=True) as txn:
        pins = environment.open_db(b"pins", txn=txn)
        for key, _ in list(txn.cursor(db=pins)):
            txn.put(key, b"\xff", db=pins)
    async with open_store(tmp_path, settings) as store:
        with pytest.raises(StoreError, match="cannot be read"):
            await store.pins.page()
