"""The node's identity: an Ed25519 key pair kept in a file that only its owner may read.

The file holds the key in libp2p's protobuf encoding (specification peer-ids), as Rust's `to_protobuf_encoding` and Go's
`MarshalPrivateKey` write it, so an identity may move between implementations. py-libp2p's own encoding leaves the
public half out, which the others refuse; it is read here and not written.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from google.protobuf.message import DecodeError
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.keys import KeyPair, KeyType
from libp2p.crypto.pb.crypto_pb2 import PrivateKey as PrivateKeyMessage
from libp2p.peer.id import ID

from chiral.errors import FileAccessError
from chiral.interface.peer import PeerId

KEY_FILE = "identity.key"
KEY_BYTES = 32
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
        key_pair = _decode(raw)
    except (ValueError, DecodeError) as error:
        raise FileAccessError(
            f"{path} is not an identity: {error}", hint="restore it from a backup, or move it away to get a new peer id"
        ) from error
    _keep_private(path)
    return key_pair


def _encode(key_pair: KeyPair) -> bytes:
    both_halves = key_pair.private_key.to_bytes() + key_pair.public_key.to_bytes()
    message = PrivateKeyMessage(key_type=KeyType.Ed25519.value, data=both_halves)
    return bytes(message.SerializeToString())


def _decode(raw: bytes) -> KeyPair:
    """The key pair in libp2p's encoding, with or without the public half; raises `ValueError` or `DecodeError`."""
    message = PrivateKeyMessage.FromString(raw)
    if message.key_type != KeyType.Ed25519.value:
        raise ValueError("the key is not an Ed25519 key")
    seed, rest = message.data[:KEY_BYTES], message.data[KEY_BYTES:]
    if len(seed) < KEY_BYTES:
        raise ValueError("the key is cut short")
    key_pair = new_identity(seed)
    public = key_pair.public_key.to_bytes()
    if rest not in (b"", public, public + public):  # old Go peers wrote it twice
        raise ValueError("the halves of the key do not belong together")
    return key_pair


def _keep_private(path: Path) -> None:
    try:
        if stat.S_IMODE(path.stat().st_mode) != _MODE:
            path.chmod(_MODE)
    except OSError as error:
        raise FileAccessError(
            f"the identity {path} may be read by others, and its mode cannot be changed: {error.strerror}",
            hint=f"chmod 600 {path}",
        ) from error


def _create(path: Path) -> KeyPair:
    """Write a new key so that a crash leaves either no file or a whole one."""
    key_pair = new_identity()
    temporary = path.with_suffix(".new")
    try:
        temporary.unlink(missing_ok=True)  # left by a crash
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_encode(key_pair))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise FileAccessError(f"cannot write the identity {path}: {error.strerror}") from error
    return key_pair


def _sync_directory(path: Path) -> None:
    """Make the new name durable: a node must not come back as somebody else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
