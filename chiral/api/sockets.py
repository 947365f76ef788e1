"""The API's two listening sockets, bound so that a fault is loud and nobody else can reach them."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from chiral.api.endpoint import PRIVATE_MODE, SOCKET_FILE, socket_address
from chiral.config.api import split_host_port
from chiral.errors import ListenError

_BACKLOG = 128


def bind_tcp(listen: str) -> tuple[socket.socket, str]:
    """A listening socket on `HOST:PORT` and the URL it is reached at; raises `ListenError` naming the address."""
    host, port = split_host_port(listen)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"cannot listen on {listen} for the API: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(
            f"cannot listen on {listen} for the API: {error.strerror}",
            hint="choose another with --api, port 0 takes a free one",
        ) from error
    listener.setblocking(False)
    shown = f"[{host}]" if ":" in host else host
    return listener, f"http://{shown}:{listener.getsockname()[1]}"


def bind_unix(data_dir: Path) -> tuple[socket.socket, Path]:
    """A listening socket in the data directory that only its owner may open, and its path; raises `ListenError`.

    The caller holds the data directory's lock, so a socket found there is a dead node's and is replaced.
    """
    path = data_dir / SOCKET_FILE
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_symlink() or path.exists():
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise ListenError(f"{path} is in the way of the API's socket", hint="move it elsewhere")
            path.unlink()
        os.fchmod(listener.fileno(), PRIVATE_MODE)  # Linux gives the socket's own mode to the name that bind makes
        with socket_address(path) as address:
            listener.bind(address)
        os.chmod(path, PRIVATE_MODE)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(
            f"cannot listen on {path}: {error.strerror}", hint="check who owns the data directory"
        ) from error
    except ListenError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener, path
