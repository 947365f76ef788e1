"""The Noise data phase: what is sealed is opened, however the ciphertext is cut, and nothing else is."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from chiral.noise.frame import MAX_PLAINTEXT_BYTES, MAX_WIRE_BYTES, NONCE_LIMIT, NoiseError, NonceExhaustedError
from chiral.noise.opener import FULL_BUFFER_BYTES, IDLE_BUFFER_BYTES, Opener
from chiral.noise.sealer import Sealer

KEY = bytes(range(32))


def sealed(*messages: bytes) -> bytes:
    """The frames of `messages`, each by a reference use of the cipher, independent of `Sealer`."""
    cipher, frames = ChaCha20Poly1305(KEY), b""
    for counter, message in enumerate(messages):
        body = cipher.encrypt(bytes(4) + counter.to_bytes(8, "little"), message, None)
        frames += len(body).to_bytes(2, "big") + body
    return frames


def deliver(opener: Opener, data: bytes, most: int = 1 << 30) -> list[bytes]:
    """Give `data` to the opener in pieces of at most `most` bytes, draining as it goes."""
    messages: list[bytes] = []
    while data:
        room = opener.writable()
        count = min(len(room), len(data), most)
        room[:count] = data[:count]
        opener.wrote(count)
        data = data[count:]
        while more := opener.drain():
            messages += more
    return messages


def test_sealer_makes_the_frames_of_the_specification() -> None:
    sealer = Sealer(KEY)
    messages = [b"", b"a", b"b" * 1000, b"c" * MAX_PLAINTEXT_BYTES]
    for message in messages:
        sealer.seal(message)
    assert bytes(sealer.sealed()) == sealed(*messages)
    assert sealer.counter == 4
    sealer.clear()
    assert bytes(sealer.sealed()) == b""


def test_plaintext_written_in_place_is_sealed_alike() -> None:
    sealer = Sealer(KEY)
    room = sealer.writable()
    assert len(room) >= 1024
    room[:1024] = b"x" * 1024
    sealer.wrote(1024)
    assert len(sealer.writable()) == MAX_PLAINTEXT_BYTES
    sealer.writable()[:3] = b"yyy"
    sealer.wrote(3)
    assert bytes(sealer.sealed()) == sealed(b"x" * 1024, b"yyy")


def test_opener_reads_the_frames_of_the_specification() -> None:
    messages = [b"", b"a", b"b" * 1000, b"c" * MAX_PLAINTEXT_BYTES]
    assert deliver(Opener(KEY), sealed(*messages)) == messages


@given(st.lists(st.binary(max_size=300), max_size=20), st.integers(1, 400))
def test_cuts_make_no_difference(messages: list[bytes], most: int) -> None:
    opener = Opener(KEY)
    assert deliver(opener, sealed(*messages), most) == messages
    assert opener.buffered_bytes == 0


def test_many_full_frames_cut_anywhere() -> None:
    messages = [bytes([number]) * MAX_PLAINTEXT_BYTES for number in range(12)]
    for most in (1000, 65_537, 100_000, 1 << 20):
        assert deliver(Opener(KEY), sealed(*messages), most) == messages


def test_ciphertext_given_as_bytes() -> None:
    opener = Opener(KEY)
    frames = sealed(b"a" * 60_000, b"b" * 60_000, b"c")
    messages = []
    for start in range(0, len(frames), 50_000):
        opener.feed(frames[start : start + 50_000])
        messages += opener.drain()
    assert messages == [b"a" * 60_000, b"b" * 60_000, b"c"]


def test_more_ciphertext_than_the_buffer_holds_is_taken_in_parts() -> None:
    opener = Opener(KEY)
    messages = [bytes([number]) * 60_000 for number in range(8)]
    frames, opened = sealed(*messages), []
    while frames:
        taken = opener.feed(frames)
        assert 0 < taken <= FULL_BUFFER_BYTES
        frames = frames[taken:]
        opened += opener.drain()
    assert opened == messages


def test_ciphertext_of_any_size_given_as_bytes_behind_a_rest() -> None:
    opener = Opener(KEY)
    frames = sealed(b"a" * 3000, b"b" * 3000)
    opener.feed(frames[:3500])
    assert opener.drain() == [b"a" * 3000]
    opener.feed(frames[3500:])
    assert opener.drain() == [b"b" * 3000]


def test_drain_gives_no_more_than_asked() -> None:
    opener = Opener(KEY)
    opener.feed(sealed(*[b"m"] * 100))
    assert len(opener.drain()) == 64
    assert len(opener.drain(30)) == 30
    assert len(opener.drain()) == 6
    assert opener.drain() == []


@pytest.mark.parametrize("length", [0, 1, 15])
def test_a_frame_shorter_than_its_tag_is_refused(length: int) -> None:
    opener = Opener(KEY)
    opener.feed(length.to_bytes(2, "big") + bytes(length))
    with pytest.raises(NoiseError, match="shorter"):
        opener.drain()


@given(st.integers(0, 8 * 136 - 1))
def test_a_flipped_bit_never_opens(bit: int) -> None:
    frames = bytearray(sealed(b"x" * 100, b"y"))
    frames[bit // 8] ^= 1 << bit % 8
    opener = Opener(KEY)
    opener.feed(bytes(frames))
    opened: list[bytes] = []
    try:
        while more := opener.drain(1):
            opened += more
    except NoiseError:
        assert opened in ([], [b"x" * 100])
    else:
        assert opened in ([], [b"x" * 100])
        assert opener.buffered_bytes, "it waits for bytes that do not come"


def test_messages_out_of_order_do_not_open() -> None:
    first, second = sealed(b"a"), sealed(b"a", b"b")[len(sealed(b"a")) :]
    opener = Opener(KEY)
    opener.feed(second + first)
    with pytest.raises(NoiseError, match="authenticate"):
        opener.drain()


def test_the_last_nonce_is_never_used() -> None:
    sealer = Sealer(KEY, NONCE_LIMIT - 1)
    sealer.seal(b"last")
    with pytest.raises(NonceExhaustedError):
        sealer.seal(b"one too many")
    opener = Opener(KEY, NONCE_LIMIT - 1)
    opener.feed(bytes(sealer.sealed()) * 2)
    assert opener.drain(1) == [b"last"]
    assert opener.counter == NONCE_LIMIT
    with pytest.raises(NonceExhaustedError):
        opener.drain()


def test_sealing_too_much_is_the_callers_fault() -> None:
    sealer = Sealer(KEY, buffer_messages=1)
    with pytest.raises(ValueError, match="65519"):
        sealer.seal(bytes(MAX_PLAINTEXT_BYTES + 1))
    sealer.seal(bytes(MAX_PLAINTEXT_BYTES))
    assert not sealer.has_room
    with pytest.raises(ValueError, match="room"):
        sealer.seal(b"")
    assert sealer.counter == 1


def test_buffers_are_small_while_quiet_and_bounded_while_busy() -> None:
    opener, sealer = Opener(KEY), Sealer(KEY)
    assert opener.capacity_bytes + sealer.capacity_bytes <= 8192
    for _ in range(4):
        sealer.writable()[:1024] = bytes(1024)
        sealer.wrote(len(sealer.writable()))
    deliver(opener, bytes(sealer.sealed()) and sealed(*[bytes(MAX_PLAINTEXT_BYTES)] * 20))
    assert opener.capacity_bytes == FULL_BUFFER_BYTES
    assert sealer.capacity_bytes <= 5 * MAX_WIRE_BYTES
    sealer.relax()
    assert sealer.capacity_bytes > 8192, "what is sealed and not sent stays"
    sealer.clear()
    sealer.relax()
    opener.relax()
    assert opener.capacity_bytes == IDLE_BUFFER_BYTES
    assert opener.capacity_bytes + sealer.capacity_bytes <= 8192


def test_relaxing_keeps_what_is_unopened() -> None:
    opener = Opener(KEY)
    frames = sealed(b"z" * 50_000)
    opener.feed(frames[:40_000])
    opener.relax()
    opener.feed(frames[40_000:])
    assert opener.drain() == [b"z" * 50_000]
