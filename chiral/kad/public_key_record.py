"""The validator of `/pk/<peer id>`: the value is the public key that gives this peer id.

Source: libp2p specification peer-ids; go-libp2p-record's behaviour.
"""

from __future__ import annotations

from collections.abc import Sequence

from chiral.errors import ProtocolError
from chiral.interface.peer import PeerId
from chiral.interface.public_key import peer_id_of_public_key
from chiral.interface.values import Standing

NAMESPACE = "pk"
_PREFIX = b"/pk/"
_NOBODYS = Standing()


def public_key_key(peer: PeerId) -> bytes:
    """The key under which a peer's public key stands."""
    return _PREFIX + peer.raw


class PublicKeyValidator:
    """There is one valid value for each key, so it needs no author, no date and no order."""

    def validate(self, key: bytes, value: bytes, now: float) -> Standing:
        """Raises `ProtocolError` unless `value` is the public key of the peer that `key` names."""
        if not key.startswith(_PREFIX):
            raise ProtocolError("not a key of a public key record")
        if peer_id_of_public_key(value).raw != key[len(_PREFIX) :]:
            raise ProtocolError("the public key is not that of the peer in the key")
        return _NOBODYS

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        """All valid values are the same."""
        return 0
