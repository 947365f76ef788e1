"""The node's identity: an Ed25519 key pair kept in a file that only its owner may read.

The file holds the key in libp2p's protobuf encoding (specification peer-ids), as Rust's `to_protobuf_encoding` and Go's
`MarshalPrivateKey` write it, so an identity may move between implementations.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.serialization import deserialize_private_key
from libp2p.peer.id import ID

from chiral.errors import FileAccessError
from chiral.interface.peer import PeerId

KEY_FILE = "identity.key"
_MODE = 0o600


def peer_id_of(key_pair: KeyPair) -> PeerId:
    """The peer id of a key pair."""
    return PeerId(ID.from_pubkey(key_pair.public_key).to_bytes())


def new_identity(seed: bytes | None = None) -> KeyPair:
    """A fresh Ed25519 key pair, or the one that `seed` (32 bytes) always gives."""
    return create_new_key_pair(seed)


def load_identity(data_dir: Path) -> KeyPair:
    """The key pair in `data_dir`, made on first use; the file's mode is held at 0600.

    Raises `FileAccessError` if the file cannot be read or written or is not a key.
    """
    path = data_dir / KEY_FILE
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return _create(path)
    except OSError as error:
        raise FileAccessError(f"cannot read the identity {path}: {error.strerror}") from error
    try:
        private = deserialize_private_key(raw)
        key_pair = KeyPair(private, private.get_public_key())
    except Exception as error:  # the key classes raise what their parts raise
        raise FileAccessError(
            f"{path} is not an identity", hint="restore it from a backup, or move it away to get a new peer id"
        ) from error
    if stat.S_IMODE(path.stat().st_mode) != _MODE:
        path.chmod(_MODE)
    return key_pair


def _create(path: Path) -> KeyPair:
    """Write a new key so that a crash leaves either no file or a whole one."""
    key_pair = new_identity()
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key_pair.private_key.serialize())
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError as error:
        raise FileAccessError(f"cannot write the identity {path}: {error.strerror}") from error
    return key_pair
