"""A real S3 server for the tests here, built if it is not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interop import versitygw
from interop.versitygw import Server
from tests.real.gateway import make_bucket


@pytest.fixture(scope="session")
def need_versitygw() -> None:
    """A build that fails is a failure, never a skip."""
    if not versitygw.program_path().exists() and not versitygw.can_build():
        pytest.skip("go is not installed: no versitygw, no S3 server")
    versitygw.ensure()


@pytest.fixture(scope="session")
def server(need_versitygw: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server with a bucket, for all tests that leave it running; each takes a prefix of its own."""
    with versitygw.running(tmp_path_factory.mktemp("versitygw")) as running:
        make_bucket(running)
        yield running
