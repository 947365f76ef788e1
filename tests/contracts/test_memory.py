"""The fakes keep the ports' promises."""

from __future__ import annotations

import pytest

from tests.contracts.blockstore import BlockstoreContract
from tests.contracts.catalogue import CatalogueContract
from tests.contracts.datastore import DatastoreContract
from tests.contracts.pins import PinsContract
from tests.contracts.providers import ProviderStoreContract
from tests.contracts.values import ValueStoreContract
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue, MemoryDatastore
from tests.fakes.pins import MemoryPins
from tests.fakes.records import MemoryProviderStore, MemoryValueStore


@pytest.fixture
def blockstore() -> MemoryBlockstore:
    return MemoryBlockstore()


class TestMemoryBlockstore(BlockstoreContract):
    pass


class TestMemoryCatalogue(CatalogueContract):
    @pytest.fixture
    def catalogue(self, blockstore: MemoryBlockstore) -> MemoryCatalogue:
        return MemoryCatalogue(blockstore)


class TestMemoryProviderStore(ProviderStoreContract):
    @pytest.fixture
    def providers(self) -> MemoryProviderStore:
        return MemoryProviderStore()


class TestMemoryValueStore(ValueStoreContract):
    @pytest.fixture
    def values(self) -> MemoryValueStore:
        return MemoryValueStore()


class TestMemoryDatastore(DatastoreContract):
    @pytest.fixture
    def datastore(self) -> MemoryDatastore:
        return MemoryDatastore()


class TestMemoryPins(PinsContract):
    @pytest.fixture
    def pins(self) -> MemoryPins:
        return MemoryPins()
