"""The identity: the same after a restart, nobody else's to read, and no node without it."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from chiral.errors import FileAccessError
from chiral.host.identity import KEY_FILE, load_identity, new_identity, peer_id_of

KEYS = json.loads((Path(__file__).parents[1] / "fixtures" / "libp2p-peer-ids" / "peer-ids.json").read_text())["keys"]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_identity_is_made_once_private_and_kept(tmp_path: Path) -> None:
    first = load_identity(tmp_path)
    assert mode_of(tmp_path / KEY_FILE) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert peer_id_of(load_identity(tmp_path)) == peer_id_of(first)
    assert peer_id_of(new_identity()) != peer_id_of(first)


def test_a_mode_that_lets_others_read_is_taken_back(tmp_path: Path) -> None:
    first = load_identity(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)
    assert peer_id_of(load_identity(tmp_path)) == peer_id_of(first)
    assert mode_of(tmp_path / KEY_FILE) == 0o600


@pytest.mark.parametrize("key", [key for key in KEYS if key["key_type"] == "Ed25519"], ids=lambda key: key["key_type"])
def test_the_file_is_what_rust_and_go_write(tmp_path: Path, key: dict[str, object]) -> None:
    derived = key["derived"]
    assert isinstance(derived, dict)
    (tmp_path / KEY_FILE).write_bytes(bytes.fromhex(str(key["private_key_protobuf_hex"])))
    assert str(peer_id_of(load_identity(tmp_path))) == derived["peer_id_base58btc"]


def test_a_seed_gives_the_same_identity() -> None:
    assert peer_id_of(new_identity(bytes(range(32)))) == peer_id_of(new_identity(bytes(range(32))))


def test_the_file_holds_both_halves_as_the_specification_has_it(tmp_path: Path) -> None:
    key = load_identity(tmp_path)
    both_halves = key.private_key.to_bytes() + key.public_key.to_bytes()
    assert (tmp_path / KEY_FILE).read_bytes() == b"\x08\x01\x12\x40" + both_halves


def test_the_encodings_of_py_libp2p_and_of_old_go_peers_are_read(tmp_path: Path) -> None:
    key = new_identity(bytes(range(32)))
    seed, public = key.private_key.to_bytes(), key.public_key.to_bytes()
    for raw in (b"\x08\x01\x12\x20" + seed, b"\x08\x01\x12\x60" + seed + public + public):
        (tmp_path / KEY_FILE).write_bytes(raw)
        assert peer_id_of(load_identity(tmp_path)) == peer_id_of(key)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a key",
        b"\x08\x01\x12\x40" + b"x" * 10,
        b"\x08\x01\x12\x0a" + b"x" * 10,
        b"\x08\x01\x12\x40" + b"x" * 64,
        bytes.fromhex(KEYS[2]["private_key_protobuf_hex"]),
    ],
    ids=["empty", "text", "cut", "short", "other half", "secp256k1"],
)
def test_a_file_that_is_no_identity_is_left_alone_and_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(FileAccessError, match="is not an identity") as caught:
        load_identity(tmp_path)
    assert "backup" in caught.value.hint
    assert (tmp_path / KEY_FILE).read_bytes() == content


def test_what_a_crash_left_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).with_suffix(".new").write_bytes(b"half a k")
    first = load_identity(tmp_path)
    assert peer_id_of(load_identity(tmp_path)) == peer_id_of(first)
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match=r"cannot write the identity .*no directory"):
        load_identity(tmp_path / "no directory")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).mkdir()
    with pytest.raises(FileAccessError, match=f"cannot read the identity .*{KEY_FILE}"):
        load_identity(tmp_path)


def test_an_identity_that_others_may_read_for_good_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_identity(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o640)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(FileAccessError, match="may be read by others"):
        load_identity(tmp_path)
