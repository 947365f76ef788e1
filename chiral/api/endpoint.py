"""How clients find a running node: the files in its data directory that say where its API is and hold its token.

Standard library only, because the command line reads these before anything else is loaded.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from chiral.errors import FileAccessError, ListenError, NodeNotRunningError

ENDPOINT_FILE = "api.json"
TOKEN_FILE = "api.token"
SOCKET_FILE = "api.sock"
PRIVATE_MODE = 0o600
MAX_SOCKET_PATH_BYTES = 107
"""What `sockaddr_un` holds on Linux, without its closing zero."""
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a running node's API is: `url` of the TCP listener, path of the Unix `socket`, the node's `pid`."""

    url: str
    socket: str
    pid: int


def write_endpoint(data_dir: Path, endpoint: Endpoint) -> None:
    """Tell clients where the API is; raises `FileAccessError`."""
    write_private(data_dir / ENDPOINT_FILE, json.dumps(asdict(endpoint)) + "\n")


def read_endpoint(data_dir: Path) -> Endpoint:
    """Where the API of the node in `data_dir` is; raises `NodeNotRunningError` if none has said so."""
    try:
        fields = json.loads((data_dir / ENDPOINT_FILE).read_text(encoding="utf-8"))
        return Endpoint(url=str(fields["url"]), socket=str(fields["socket"]), pid=int(fields["pid"]))
    except FileNotFoundError as error:
        raise no_node(data_dir) from error
    except OSError as error:
        raise FileAccessError(f"cannot read {data_dir / ENDPOINT_FILE}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise NodeNotRunningError(f"{data_dir / ENDPOINT_FILE} is damaged", hint="start the node again") from error


def no_node(data_dir: Path) -> NodeNotRunningError:
    """The error that says no node runs there, and how to start one."""
    return NodeNotRunningError(
        f"no node is running in {data_dir}", hint="start one with 'chiral run', or name its directory with --data"
    )


def ensure_token(data_dir: Path) -> str:
    """The token in `data_dir`, made if there is none or others could have read it; raises `FileAccessError`."""
    path = data_dir / TOKEN_FILE
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), encoding="ascii") as file:
            state = os.fstat(file.fileno())
            token = file.read(1024).strip()
            private = stat.S_ISREG(state.st_mode) and not state.st_mode & 0o077 and state.st_uid == os.geteuid()
        if private and len(token) >= _TOKEN_BYTES:
            return token
    except (OSError, ValueError):
        pass  # whatever is there cannot be trusted or read: a new one takes its place
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    write_private(path, token + "\n")
    return token


def read_token(path: Path) -> str:
    """The token in file `path`; raises `FileAccessError`."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        raise FileAccessError(
            f"there is no token in {path}", hint="the node writes it into its data directory"
        ) from error
    except OSError as error:
        raise FileAccessError(
            f"cannot read {path}: {error.strerror}", hint="only the node's own user may read it"
        ) from error
    except ValueError as error:
        raise FileAccessError(f"{path} holds no token") from error


def write_private(path: Path, text: str) -> None:
    """Replace `path` with a file of mode 0600 that never was readable by others; raises `FileAccessError`."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_MODE
        )
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FileAccessError(
            f"cannot write {path}: {error.strerror}", hint="check who owns the data directory"
        ) from error


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address for `bind` and `connect` that means `path`, however long that is.

    A path too long for `sockaddr_un` is reached through its open directory under `/proc`. Raises `ListenError` where
    there is no `/proc`, `FileNotFoundError` and other `OSError`s where there is no such directory.
    """
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        alias = f"/proc/self/fd/{directory}/{path.name}"
        if not os.path.isdir(f"/proc/self/fd/{directory}"):
            raise ListenError(
                f"{path} is longer than {MAX_SOCKET_PATH_BYTES} bytes, too long for a Unix socket",
                hint="choose a data directory with a shorter path",
            )
        yield alias
    finally:
        os.close(directory)
