"""A fake node served by the real server, on loopback TCP and on the Unix socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trio

from chiral.api.endpoint import Endpoint, read_token
from chiral.api.server import serve_api
from chiral.config.model import NodeConfig
from tests.fakes.node import FakeNode


@dataclass(frozen=True, slots=True)
class Served:
    """A served fake node and how to reach it."""

    node: FakeNode
    endpoint: Endpoint
    token: str
    stop: trio.Event

    @property
    def data_dir(self) -> Path:
        return self.node.config.data_dir

    @property
    def port(self) -> int:
        return int(self.endpoint.url.rpartition(":")[2])

    def tcp(self, **headers: str) -> httpx.AsyncClient:
        """A client over TCP that carries the token unless told otherwise."""
        return httpx.AsyncClient(
            base_url=f"{self.endpoint.url}/api/v1", headers={"authorization": f"Bearer {self.token}", **headers}
        )

    def unix(self, **headers: str) -> httpx.AsyncClient:
        """A client over the Unix socket."""
        return httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=self.endpoint.socket),
            base_url="http://localhost/api/v1",
            headers={"authorization": f"Bearer {self.token}", **headers},
        )

    def head(self, method: str, path: str, extra: str = "") -> bytes:
        """The head of a request, for tests that speak HTTP by hand."""
        lines = (
            f"{method} /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\n"
        )
        return (lines + extra + "\r\n").encode()

    async def connect(self) -> trio.SocketStream:
        """A bare connection to the TCP listener."""
        return await trio.open_tcp_stream("127.0.0.1", self.port)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    node = FakeNode(NodeConfig.model_validate({"data_dir": tmp_path / "node", "api": {"max_connections": 32}}))
    stop = trio.Event()
    async with node, serve_api(node, stop, {"host.max_dials": "command line"}) as endpoint:
        yield Served(node, endpoint, read_token(node.config.data_dir / "api.token"), stop)
