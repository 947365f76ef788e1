"""Fuzzing of the DHT: `python -m tests.fuzz.dht --seconds 60` sends a node what no sound peer would.

Everything follows from the seed that is printed, so a failure repeats with `--seed`. Each target takes a generator of
random numbers and raises if anything but a `RemoteError` comes of it, a bound is exceeded, or a node is left unwell.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from contextlib import suppress

import trio
from trio.testing import MockClock

from chiral.errors import RemoteError
from chiral.interface.peer import PeerId
from chiral.interface.streams import Stream
from chiral.kad.addresses import MAX_ADDRS, clean_addrs
from chiral.kad.framing import FrameReader, frame
from chiral.kad.messages import (
    MAX_ADDRS_OF_PEER,
    MAX_MESSAGE_BYTES,
    MAX_PEERS_IN_LIST,
    Connectedness,
    Message,
    MessageType,
    PeerEntry,
    Record,
    decode_message,
    encode_message,
)
from chiral.kad.server import MAX_KEY_BYTES, KeepProvider, plan
from chiral.kad.trim import trim
from chiral.routing.inbox import Inbox
from tests.fakes.link import address
from tests.fakes.stream_node import peer_id
from tests.fuzz.wire import cuts, main, mutate
from tests.routing.net import KAD, DhtNode, Net, exchange, running, stranger

SENDER = 500
NOWHERE = [
    b"",
    b"\x04",
    b"\x04\x00\x00\x00\x00\x06\x0f\xa1",
    b"\x04\xe0\x00\x00\xfb\x06\x0f\xa1",
    b"\x04\x7f\x00\x00\x01\x06\x0f\xa1",
    b"\x04\x01\x02\x03\x04\x06\x00\x00",
    b"\x29" + bytes(16) + b"\x06\x0f\xa1",
    b"\x29\xff\x02" + bytes(14) + b"\x06\x0f\xa1",
    b"\x36\xff\xff\xff",
]
KEY_SIZES = [0, 1, 20, 34, 36, 80, 81, 300]


def any_addr(rng: random.Random) -> bytes:
    """An address: of a peer, of nowhere, or bytes."""
    if rng.random() < 0.5:
        return address(rng.randrange(1000), rng.choice([0, 1, 4001, 65_535]))
    return rng.choice(NOWHERE) if rng.random() < 0.7 else rng.randbytes(rng.choice([3, 40, 300]))


def any_entry(rng: random.Random) -> PeerEntry:
    """An entry: of the sender, a node, a stranger, the same again, or of no peer."""
    number = rng.choice([0, 1, 2, SENDER, SENDER, rng.randrange(10_000)])
    raw = peer_id(number).raw if rng.random() < 0.8 else rng.randbytes(rng.choice([0, 5, 34, 70]))
    addrs = tuple(any_addr(rng) for _ in range(rng.choice([0, 1, 1, 3, 80])))
    return PeerEntry(raw, addrs, Connectedness(rng.randrange(4)))


def any_message(rng: random.Random) -> Message:
    """A message that is well formed, whatever it says."""
    key = rng.randbytes(rng.choice(KEY_SIZES)) if rng.random() < 0.8 else peer_id(rng.randrange(3)).raw
    record = None
    if rng.random() < 0.4:
        record = Record(rng.choice([key, b"/pk/x", b""]), rng.randbytes(rng.choice([0, 10, 2000])), "x", b"y", 2**31)
    lists = [tuple(any_entry(rng) for _ in range(rng.choice([0, 0, 1, 5, 30]))) for _ in range(2)]
    return Message(MessageType(rng.randrange(6)), key, record, lists[0], lists[1], rng.choice([0, 10, -1]))


def dht_messages(rng: random.Random) -> None:
    """A message, mutated or not, is decoded within bounds, planned and trimmed, or refused."""
    message = any_message(rng)
    wire = bytearray(encode_message(message))
    mutated = rng.random() < 0.6 and mutate(rng, wire)
    sender = peer_id(SENDER)
    try:
        decoded = decode_message(bytes(wire))
        for peers in (decoded.closer, decoded.providers):
            assert len(peers) <= MAX_PEERS_IN_LIST
            assert all(len(peer.addrs) <= MAX_ADDRS_OF_PEER for peer in peers)
        step = plan(decoded, sender)
        assert decoded.type is MessageType.PING or 0 < len(decoded.key) <= MAX_KEY_BYTES
        if isinstance(step, KeepProvider):
            assert any(entry.id == sender.raw for entry in decoded.providers)
            assert clean_addrs(sender, step.addrs, MAX_ADDRS) == step.addrs
        assert len(encode_message(trim(decoded))) <= MAX_MESSAGE_BYTES
    except RemoteError:
        return
    assert mutated or replace_long(message) == replace_long(decoded)


def replace_long(message: Message) -> tuple[MessageType, bytes, int, int]:
    """What of a message is the same before and after its lists are cut at their bounds."""
    return message.type, message.key, len(message.closer), len(message.providers)


def dht_frames(rng: random.Random) -> None:
    """Frames cut anywhere, mutated or not, come out whole and in order, or are refused."""
    sent = [rng.randbytes(rng.choice([0, 1, 127, 128, 5000])) for _ in range(rng.randint(1, 6))]
    wire = bytearray(b"".join(frame(data) for data in sent))
    mutated = rng.random() < 0.5 and mutate(rng, wire)
    reader, got = FrameReader(), list[bytes]()
    try:
        for piece in cuts(rng, bytes(wire)):
            reader.feed(piece)
            while (data := reader.next()) is not None:
                got.append(data)
    except RemoteError:
        assert mutated
        return
    assert mutated or (got == sent and not reader.partial)


def dht_session(rng: random.Random) -> None:
    """A stranger's streams leave the node as it was, with records of nobody but the stranger."""
    parts = [stream_bytes(rng) for _ in range(rng.randint(1, 3))]

    async def scenario() -> None:
        async with running() as net:
            node = await net.add()
            strange = await stranger(net, node, SENDER)
            for wire in parts:
                stream = await strange.open(node.peer, [KAD])
                with suppress(RemoteError), trio.move_on_after(1000):
                    for piece in cuts(rng, wire):
                        await stream.write(piece)
                    await stream.finish()
                    await stream.read_to_end(10_000_000)
            await check_node(net, node, strange.local_peer)
            assert await exchange(strange, node.peer, Message(MessageType.PING)) == Message(MessageType.PING)

    trio.run(scenario, clock=MockClock(autojump_threshold=0))


def stream_bytes(rng: random.Random) -> bytes:
    """What a stranger may send in one stream."""
    wire = bytearray(b"".join(frame(encode_message(any_message(rng))) for _ in range(rng.randint(1, 8))))
    if rng.random() < 0.4:
        mutate(rng, wire)
    return bytes(wire[: rng.randint(1, len(wire))] if rng.random() < 0.2 else wire)


async def check_node(net: Net, node: DhtNode, sender: PeerId) -> None:
    """What the node keeps is within the bounds, and of the sender alone."""
    for key, held in node.providers._records.items():
        assert 0 < len(key) <= MAX_KEY_BYTES
        for record in held.values():
            assert record.peer == sender
            assert len(record.addrs) <= MAX_ADDRS
            assert clean_addrs(sender, record.addrs) == record.addrs
    assert node.table <= {sender}
    assert await node.values.count() == 0
    assert node.node.open_streams() == 0


def dht_answers(rng: random.Random) -> None:
    """Whatever a peer answers, a search ends, finds the honest peer's provider, and dials nowhere."""
    seed = rng.random()

    async def strange_answers(stream: Stream) -> None:
        words = random.Random(seed)
        inbox = Inbox(stream)
        with suppress(RemoteError):
            while await inbox.next() is not None:
                await stream.write(stream_bytes(words))

    async def scenario() -> None:
        async with running() as net:
            node, good = await net.grow(2)
            await good.kad.provide([b"sought"])
            await node.providers.remove(b"sought", good.peer)
            bad = net.fake(SENDER)
            bad.serve(KAD, strange_answers)
            await bad.connect(node.info)
            await trio.sleep(0.1)
            before = node.node.opened.total()
            with trio.fail_after(1000):
                found = await node.find([b"sought"], count=10_000)
            addrs = {info.peer: info.addrs for info in found}
            assert set(good.info.addrs) <= set(addrs[good.peer])
            assert node.peer not in {info.peer for info in found}
            assert all(clean_addrs(info.peer, info.addrs) == info.addrs for info in found)
            assert node.node.opened.total() - before <= 20 * 300

    trio.run(scenario, clock=MockClock(autojump_threshold=0))


TARGETS: list[Callable[[random.Random], None]] = [dht_messages, dht_frames, dht_session, dht_answers]


if __name__ == "__main__":
    sys.exit(main(targets=TARGETS))
