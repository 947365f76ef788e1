"""Fuzzing of the wire: `python -m tests.fuzz.wire --seconds 60` beats on the Noise and Yamux machines at random.

Everything follows from the seed that is printed, so a failure repeats with `--seed`. Each target takes a generator of
random numbers and raises if the machines raise anything but a `ProtocolError`, lose a byte, or exceed their bounds.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterable

from chiral.errors import ProtocolError
from chiral.noise.frame import MAX_PLAINTEXT_BYTES
from chiral.noise.opener import FULL_BUFFER_BYTES, Opener
from chiral.noise.sealer import Sealer
from chiral.yamux.connection import Connection
from chiral.yamux.frame import header
from tests.yamux.exchange import ACTIONS, EVERYTHING, Exchange
from tests.yamux.linked import connection, output

LENGTHS = [0, 0, 1, 12, 13, 100, 4096, 65_507, 65_536, 262_144, 262_145, 1 << 24, 2**31, 2**32 - 1]
FLAGS = [0, 0, 0, 1, 1, 2, 4, 5, 8, 9, 6, 15, 0x10, 0xFFFF]


def noise_frames(rng: random.Random) -> None:
    """Ciphertext that is whole up to a point, then mutated, cut anywhere."""
    key = rng.randbytes(32)
    sealer, opener = Sealer(key), Opener(key)
    plain = [rng.randbytes(rng.choice([0, 1, 100, 5000, MAX_PLAINTEXT_BYTES])) for _ in range(rng.randint(1, 4))]
    for message in plain:
        sealer.seal(message)
    wire = bytearray(sealer.sealed())
    mutated = rng.random() < 0.7 and mutate(rng, wire)
    opened: list[bytes] = []
    try:
        for piece in cuts(rng, bytes(wire)):
            feed(opener, piece, opened)
    except ProtocolError:
        assert mutated
    assert opened == plain[: len(opened)]
    assert mutated or opened == plain
    assert opener.capacity_bytes <= FULL_BUFFER_BYTES


def feed(opener: Opener, data: bytes, opened: list[bytes]) -> None:
    while data:
        room = opener.writable()
        count = min(len(room), len(data))
        room[:count] = data[:count]
        opener.wrote(count)
        data = data[count:]
        while messages := opener.drain():
            opened += messages


def random_bytes(rng: random.Random) -> None:
    """Bytes without sense."""
    machine = connection(initiator=rng.random() < 0.5)
    use(rng, machine, [rng.randbytes(rng.randint(1, 300)) for _ in range(rng.randint(1, 20))])


def random_frames(rng: random.Random) -> None:
    """Frames that are well formed one by one and make no sense together."""
    machine = connection(initiator=rng.random() < 0.5)
    for _ in range(rng.randint(0, 5)):
        machine.send(machine.open_stream(), memoryview(rng.randbytes(rng.choice([1, 1000, 300_000]))))
    frames = []
    for _ in range(rng.randint(1, 200)):
        kind, length = rng.choice([0, 0, 0, 1, 2, 3, 4]), rng.choice(LENGTHS)
        body = rng.randbytes(min(length, 262_145)) if kind == 0 and rng.random() < 0.95 else b""
        frames.append(header(kind, rng.choice(FLAGS), rng.choice([0, *range(1, 12), 2**32 - 1]), length) + body)
    use(rng, machine, cuts(rng, b"".join(frames)))


def flipped_session(rng: random.Random) -> None:
    """What one machine says to another, mutated under way."""
    source, target = connection(initiator=True), connection()
    for _ in range(rng.randint(1, 8)):
        stream = source.open_stream()
        source.send(stream, memoryview(rng.randbytes(rng.choice([1, 60, 3000, 70_000]))))
        rng.choice([source.finish, source.reset, source.flush])(stream)
    source.tick(0.0)
    wire = bytearray(b"".join(output(source)))
    if wire:
        mutate(rng, wire)
    use(rng, target, cuts(rng, bytes(wire)))


def whole_exchange(rng: random.Random) -> None:
    """Two machines used in every legal way: each byte arrives, and nothing is left at the end."""
    exchange = Exchange()
    for _ in range(rng.randint(1, 300)):
        exchange.step(rng.choice(ACTIONS), rng.random() < 0.5, rng.randint(0, 5), rng.randint(1, 300_000))
        exchange.check()
    exchange.finish()


def use(rng: random.Random, machine: Connection, pieces: Iterable[bytes]) -> None:
    """Give the machine what came and do with it what an owner does."""
    now = 0.0
    try:
        for piece in pieces:
            now += rng.random() * 0.01
            machine.receive(piece, now)
            while (stream := machine.accept()) is not None:
                machine.take(stream, rng.choice([1, EVERYTHING]), now)
                rng.choice([machine.finish, machine.reset, machine.flush])(stream)
            if rng.random() < 0.3:
                output(machine, rng.choice([64, 1000, MAX_PLAINTEXT_BYTES]))
    except ProtocolError:
        assert machine.has_output, "the peer is told why"
    assert 0 <= machine.unread_bytes <= machine.limits.max_unread_bytes
    assert machine.inbound_streams <= machine.limits.max_inbound_streams
    assert len(b"".join(output(machine))) <= machine.limits.send_backlog_bytes + (1 << 20)


def mutate(rng: random.Random, wire: bytearray) -> bool:
    """Change, drop, double or move a few bytes; True."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(wire))
        span = slice(at, at + rng.randint(1, 40))
        how = rng.random()
        if how < 0.6:
            wire[at] ^= 1 << rng.randrange(8)
        elif how < 0.8 and len(wire) > 100:
            del wire[span]
        else:
            wire[at:at] = wire[span]
    return True


def cuts(rng: random.Random, data: bytes) -> list[bytes]:
    """`data` in pieces, small or large."""
    most = rng.choice([7, 50, 1000, 100_000])
    if len(data) // most > 5000:
        most = 1 + len(data) // 5000
    pieces, start = [], 0
    while start < len(data):
        stop = start + rng.randint(1, most)
        pieces.append(data[start:stop])
        start = stop
    return pieces


TARGETS: list[Callable[[random.Random], None]] = [
    noise_frames,
    random_bytes,
    random_frames,
    flipped_session,
    whole_exchange,
]


def run(target: Callable[[random.Random], None], seed: int) -> None:
    """One round of a target; the seed says all."""
    target(random.Random(f"{target.__name__}/{seed}"))


def main(arguments: list[str] | None = None, targets: list[Callable[[random.Random], None]] | None = None) -> int:
    """Go round the targets (those of this module if None) until the time is up."""
    targets = TARGETS if targets is None else targets
    parser = argparse.ArgumentParser(description="Send what no sound peer would, until something gives.")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="the number of the first round")
    options = parser.parse_args(arguments)
    until = time.monotonic() + options.seconds
    seed = options.seed
    while time.monotonic() < until:
        for target in targets:
            try:
                run(target, seed)
            except Exception:
                print(f"{target.__name__} failed: repeat with --seed {seed}", file=sys.stderr)
                raise
        seed += 1
    print(f"{seed - options.seed} rounds of {len(targets)} targets, seeds {options.seed} to {seed - 1}: nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
