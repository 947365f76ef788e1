"""The bootstrap list: what is an address of a peer is used, what is not is named."""

from __future__ import annotations

import pytest

from chiral.host.addresses import parse_address
from chiral.interface.peer import PeerId, PeerInfo
from chiral.node.bootstrap import bootstrap_peers

ONE = "12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"
TWO = "QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN"


def test_each_peer_comes_once_with_all_its_addresses() -> None:
    texts = [
        f"/ip4/192.0.2.1/tcp/1/p2p/{ONE}",
        f"/dns4/example.org/tcp/2/p2p/{TWO}",
        f"/ip6/2001:db8::1/tcp/1/p2p/{ONE}",
        f"/ip4/192.0.2.1/tcp/1/p2p/{ONE}",
    ]
    assert bootstrap_peers(texts) == [
        PeerInfo(PeerId.parse(ONE), (parse_address("/ip4/192.0.2.1/tcp/1"), parse_address("/ip6/2001:db8::1/tcp/1"))),
        PeerInfo(PeerId.parse(TWO), (parse_address("/dns4/example.org/tcp/2"),)),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "'nonsense' is not a multiaddr"),
        ("", "an address is empty"),
        ("/ip4/192.0.2.1/tcp/1", "'/ip4/192.0.2.1/tcp/1' does not say which peer is there"),
        (f"/ip4/192.0.2.1/tcp/1/p2p/{ONE[:-5]}", "is not a multiaddr"),
        (f"/p2p/{ONE}", "does not say which peer is there"),
    ],
)
def test_what_is_no_address_of_a_peer_is_named_and_the_rest_used(
    caplog: pytest.LogCaptureFixture, text: str, reason: str
) -> None:
    assert [info.peer for info in bootstrap_peers([text, f"/ip4/192.0.2.1/tcp/1/p2p/{ONE}"])] == [PeerId.parse(ONE)]
    (line,) = caplog.messages
    assert line.startswith("a bootstrap address cannot be used: ")
    assert reason in line
