"""A small HTTP client of the node's API: JSON, lines, bytes in and out, and the API's faults as Chiral's errors."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from chiral.api.endpoint import TOKEN_FILE, no_node, read_endpoint, read_token
from chiral.cli.connection import TcpConnection, UnixConnection
from chiral.cli.faults import broken_answer, error_of, slow_node
from chiral.errors import ChiralError, NodeNotRunningError, UsageError

PREFIX = "/api/v1"
ANSWER_TIMEOUT_S = 30.0
"""How much longer than the node's own time-out an answer may take to begin, or to go on."""
_READ_BYTES = 1 << 18
Connect = Callable[[], http.client.HTTPConnection]
Query = Mapping[str, object]
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Download:
    """An answer of bytes: the file's claimed name, its size, and its parts, which are exactly `size` bytes or raise."""

    name: str
    size: int
    parts: Iterator[bytes]


class Client:
    """Speaks to one node. `local` is whether it is reached over its Unix socket, so that paths may be handed to it."""

    def __init__(self, connect: Connect, token: str, missing: NodeNotRunningError, *, local: bool) -> None:
        self._connect = connect
        self._token = token
        self._missing = missing
        self.local = local

    def call(
        self, method: str, path: str, *, query: Query | None = None, body: object = None, timeout_s: float = 0.0
    ) -> Any:
        """The JSON that a route answers with."""
        with self._request(method, target(path, query), _json(body), timeout_s) as answer, faults_of_transport():
            return json.loads(answer.read())

    def lines(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        timeout_s: float = 0.0,
        progress: Progress | None = None,
        item: Callable[[Any], None] | None = None,
    ) -> Any:
        """The result at the end of a route's lines; `progress` and `item` hear of the lines before it."""
        with self._request(method, target(path, query), _json(body), timeout_s) as answer:
            for line in _lines(answer):
                kind = line.get("type")
                if kind == "result":
                    return line["value"]
                if kind == "error":
                    raise error_of(line["error"])
                if kind == "item" and item is not None:
                    item(line["value"])
                if kind == "progress" and progress is not None:
                    progress(line["done"], line["total"])
        raise broken_answer()

    @contextmanager
    def download(self, path: str, *, query: Query | None = None, timeout_s: float = 0.0) -> Iterator[Download]:
        """The bytes that a route answers with."""
        with self._request("GET", target(path, query), None, timeout_s) as answer:
            size = int(answer.headers["content-length"])
            yield Download(unquote(answer.headers.get("chiral-name", "")), size, self._parts(answer, size))

    @contextmanager
    def stream(self, path: str, *, query: Query | None = None, timeout_s: float = 0.0) -> Iterator[Iterator[bytes]]:
        """The bytes that a route answers with, whose length nobody knows before; the parts raise if it breaks off."""
        with self._request("GET", target(path, query), None, timeout_s) as answer:
            yield self._parts_to_end(answer)

    def upload(self, path: str, source: Iterable[bytes], *, query: Query | None = None, timeout_s: float = 0.0) -> Any:
        """Send `source` as a body of unknown length; the JSON that the route answers with."""
        with self._request("PUT", target(path, query), source, timeout_s) as answer, faults_of_transport():
            return json.loads(answer.read())

    def _parts(self, answer: http.client.HTTPResponse, size: int) -> Iterator[bytes]:
        left = size
        while left:
            try:
                part = answer.read(min(left, _READ_BYTES))
            except TimeoutError as error:
                raise slow_node() from error
            except (OSError, http.client.HTTPException):
                part = b""
            if not part:
                raise self._why_broken(answer.headers.get("chiral-download"))
            left -= len(part)
            yield part

    def _parts_to_end(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        while True:
            try:
                part = answer.read(_READ_BYTES)
            except TimeoutError as error:
                raise slow_node() from error
            except (OSError, http.client.HTTPException) as error:
                raise self._why_broken(answer.headers.get("chiral-download")) from error
            if not part:
                return
            yield part

    def _why_broken(self, download: str | None) -> ChiralError:
        """What the node says of an answer that it broke off."""
        if download is None:
            return broken_answer()
        try:
            return error_of(self.call("GET", f"/downloads/{download}"))
        except ChiralError:
            return broken_answer()

    @contextmanager
    def _request(
        self, method: str, at: str, body: bytes | Iterable[bytes] | None, timeout_s: float
    ) -> Iterator[http.client.HTTPResponse]:
        connection = self._connect()
        try:
            try:
                connection.connect()
            except OSError as error:
                raise self._missing from error
            connection.sock.settimeout(timeout_s + ANSWER_TIMEOUT_S)
            with faults_of_transport():
                answer = self._exchange(connection, method, at, body)
                if answer.status >= 300:
                    raise _fault(answer)
            yield answer
        finally:
            connection.close()

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, at: str, body: bytes | Iterable[bytes] | None
    ) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self._token}"}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
        elif body is not None:
            headers["Content-Type"] = "application/octet-stream"
            headers["Transfer-Encoding"] = "chunked"
        with suppress(BrokenPipeError, ConnectionResetError):  # the node may have answered before it closed
            connection.request(method, at, body=body, headers=headers, encode_chunked=True)
        return connection.getresponse()


def client_for(data_dir: Path, *, api: str | None = None, token_file: str | None = None) -> Client:
    """A client of the node at URL `api`, else of the node in `data_dir` over its Unix socket.

    Raises `NodeNotRunningError`, `FileAccessError` and `UsageError`; nothing is sent yet.
    """
    if api is None:
        endpoint = read_endpoint(data_dir)
        path = Path(endpoint.socket)
        token = read_token(data_dir / TOKEN_FILE)
        return Client(lambda: UnixConnection(path), token, no_node(data_dir), local=True)
    host, port = _host_and_port(api)
    missing = NodeNotRunningError(f"no node answers at {api}", hint="start one with 'chiral run --api HOST:PORT'")
    return Client(lambda: TcpConnection(host, port), _token(data_dir, token_file), missing, local=False)


def target(path: str, query: Query | None = None) -> str:
    """The request target of a path under the API's prefix."""
    given = {key: value for key, value in (query or {}).items() if value is not None}
    return PREFIX + quote(path) + (f"?{urlencode(given, doseq=True)}" if given else "")


@contextmanager
def faults_of_transport() -> Iterator[None]:
    """Faults of the connection to the node, within the block, as Chiral's errors."""
    try:
        yield
    except TimeoutError as error:
        raise slow_node() from error
    except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
        raise broken_answer() from error


def _host_and_port(api: str) -> tuple[str, int]:
    try:
        parts = urlsplit(api)
        if parts.scheme == "http" and parts.hostname and parts.path in ("", "/"):
            return parts.hostname, parts.port or 80
    except ValueError:
        pass
    raise UsageError(f"--api: {api!r} is not the URL of a node's API", hint="it looks like http://127.0.0.1:5101")


def _token(data_dir: Path, token_file: str | None) -> str:
    given = os.environ.get("CHIRAL_API_TOKEN", "")
    if token_file is None and given:
        return given.strip()
    return read_token(Path(token_file) if token_file is not None else data_dir / TOKEN_FILE)


def _json(body: object) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


def _fault(answer: http.client.HTTPResponse) -> ChiralError:
    try:
        return error_of(json.loads(answer.read()))
    except ValueError:
        return ChiralError(f"the node answered with status {answer.status} {answer.reason}")


def _lines(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    rest = b""
    while True:
        with faults_of_transport():
            part = answer.read1(_READ_BYTES)
        if not part:
            return
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield json.loads(line)
