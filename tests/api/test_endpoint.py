"""The files by which clients find a node, and its sockets."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from chiral.api.endpoint import (
    ENDPOINT_FILE,
    MAX_SOCKET_PATH_BYTES,
    Endpoint,
    ensure_token,
    read_endpoint,
    read_token,
    socket_address,
    write_endpoint,
    write_private,
)
from chiral.api.sockets import bind_tcp, bind_unix
from chiral.errors import FileAccessError, ListenError, NodeNotRunningError


def test_an_endpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    endpoint = Endpoint("http://127.0.0.1:1", "/x/api.sock", 7)
    write_endpoint(tmp_path, endpoint)
    assert read_endpoint(tmp_path) == endpoint
    assert [entry.name for entry in tmp_path.iterdir()] == [ENDPOINT_FILE]


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"url": 1, "socket": 2, "pid": "x"}', "\x00"])
def test_a_damaged_endpoint_reads_as_no_node(tmp_path: Path, text: str) -> None:
    (tmp_path / ENDPOINT_FILE).write_text(text)
    with pytest.raises(NodeNotRunningError, match="damaged"):
        read_endpoint(tmp_path)


def test_no_endpoint_says_how_to_start_a_node(tmp_path: Path) -> None:
    with pytest.raises(NodeNotRunningError, match=r"chiral run"):
        read_endpoint(tmp_path)


def test_an_endpoint_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ENDPOINT_FILE).mkdir()
    with pytest.raises(FileAccessError):
        read_endpoint(tmp_path)


def test_a_token_is_made_once(tmp_path: Path) -> None:
    token = ensure_token(tmp_path)
    assert len(token) >= 40
    assert ensure_token(tmp_path) == token == read_token(tmp_path / "api.token")


@pytest.mark.parametrize("content", ["", "short", "\xff"])
def test_a_token_that_is_none_is_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "api.token"
    path.write_text(content, encoding="latin-1")
    path.chmod(0o600)
    assert ensure_token(tmp_path) != content


def test_a_token_behind_a_link_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("a" * 64)
    (tmp_path / "elsewhere").chmod(0o600)
    (tmp_path / "api.token").symlink_to(tmp_path / "elsewhere")
    assert ensure_token(tmp_path) != "a" * 64
    assert not (tmp_path / "api.token").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "a" * 64


def test_faults_of_reading_a_token(tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match="no token"):
        read_token(tmp_path / "none")
    with pytest.raises(FileAccessError, match="cannot read"):
        read_token(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(FileAccessError, match="holds no token"):
        read_token(tmp_path / "binary")


def test_a_private_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileAccessError, match="cannot write"):
        write_private(tmp_path / "folder", "x")
    with pytest.raises(FileAccessError, match="cannot write"):
        write_private(tmp_path / "none" / "file", "x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_socket_in_a_deep_directory(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    listener, path = bind_unix(deep)
    assert len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with listener, socket.socket(socket.AF_UNIX) as client, socket_address(path) as address:
        client.connect(address)


def test_a_deep_directory_without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 150)
    deep.mkdir()
    monkeypatch.setattr(os.path, "isdir", lambda path: False)
    with pytest.raises(ListenError, match="too long for a Unix socket"), socket_address(deep / "api.sock"):
        pass


def test_a_dead_nodes_socket_is_replaced(tmp_path: Path) -> None:
    first, path = bind_unix(tmp_path)
    first.close()
    assert path.exists()
    second, _ = bind_unix(tmp_path)
    with second, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_file_in_the_way_of_the_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "api.sock").write_text("precious")
    with pytest.raises(ListenError, match="in the way"):
        bind_unix(tmp_path)
    assert (tmp_path / "api.sock").read_text() == "precious"


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="cannot listen on"):
        bind_unix(tmp_path / "none")


def test_a_port_in_use_is_named() -> None:
    listener, url = bind_tcp("127.0.0.1:0")
    port = url.rpartition(":")[2]
    with listener, pytest.raises(ListenError, match=rf"127\.0\.0\.1:{port} .*--api"):
        bind_tcp(f"127.0.0.1:{port}")


def test_ipv6_urls_have_brackets() -> None:
    listener, url = bind_tcp("[::1]:0")
    with listener:
        assert url.startswith("http://[::1]:")


def test_a_host_that_there_is_not() -> None:
    with pytest.raises(ListenError, match="cannot listen on"):
        bind_tcp("256.1.1.1:0")
