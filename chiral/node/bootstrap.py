"""The bootstrap list as peers to connect to; what in it is no peer's address is named in the log and passed over."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from chiral.errors import InvalidAddressError
from chiral.host.addresses import parse_peer_address
from chiral.interface.peer import PeerId, PeerInfo

logger = logging.getLogger(__name__)


def bootstrap_peers(texts: Iterable[str]) -> list[PeerInfo]:
    """The peers of `texts`, each once with all its addresses, in the order they first come.

    One entry that somebody mistyped must not keep the node from a swarm that it reaches by the others.
    """
    found: dict[PeerId, dict[bytes, None]] = {}
    for text in texts:
        try:
            peer, addr = parse_peer_address(text)
        except InvalidAddressError as error:
            logger.warning("a bootstrap address cannot be used: %s", error.message)
            continue
        found.setdefault(peer, {})[addr] = None
    return [PeerInfo(peer, tuple(addrs)) for peer, addrs in found.items()]
