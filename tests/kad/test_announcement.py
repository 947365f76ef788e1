"""The frame of an announcement is the one any message of its content has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chiral.kad.announcement import AnnouncementFrames
from chiral.kad.framing import frame_message
from chiral.kad.messages import Connectedness, Message, MessageType, PeerEntry


@given(
    st.binary(min_size=1, max_size=80),
    st.binary(min_size=1, max_size=40),
    st.lists(st.binary(min_size=1, max_size=60), max_size=16),
)
def test_it_is_the_message_framed(key: bytes, peer: bytes, addrs: list[bytes]) -> None:
    provider = PeerEntry(peer, tuple(addrs), Connectedness.CONNECTED)
    message = Message(MessageType.ADD_PROVIDER, key, providers=(provider,))
    assert AnnouncementFrames(provider).of(key) == frame_message(message)
