"""Whole nodes in one process, joined over loopback TCP."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio

from chiral.block.cid import CID
from chiral.config.model import NodeConfig
from chiral.exchange.codec import PROTOCOL, answer_head, decode_request
from chiral.files.results import FileAdded
from chiral.host.settings import HostSettings
from chiral.interface.peer import PeerId
from chiral.interface.streams import Stream
from chiral.node.node import Node
from chiral.store.settings import StoreSettings
from chiral.transfer.settings import TransferSettings

LOOPBACK = "/ip4/127.0.0.1/tcp/0"
DEADLINE_S = 30.0
"""Longer than any scenario takes on a busy machine: it ends one that hangs."""


def config(
    directory: Path, *bootstrap: str, transfer: TransferSettings | None = None, store: StoreSettings | None = None
) -> NodeConfig:
    return NodeConfig(
        data_dir=directory,
        bootstrap=bootstrap,
        host=HostSettings(listen=(LOOPBACK,)),
        transfer=transfer or TransferSettings(),
        store=store or StoreSettings(durable=False),
    )


@asynccontextmanager
async def running(
    directory: Path, *bootstrap: Node | str, transfer: TransferSettings | None = None
) -> AsyncIterator[Node]:
    """A node that knows `bootstrap` alone and, on entry, is connected to all of them."""
    addresses = [known if isinstance(known, str) else known.listen_addrs_text()[0] for known in bootstrap]
    async with Node(config(directory, *addresses, transfer=transfer)) as node:
        await identified(node, len(addresses))
        yield node


@asynccontextmanager
async def several(directory: Path, count: int, *bootstrap: Node) -> AsyncIterator[list[Node]]:
    """`count` nodes that know `bootstrap` alone."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(running(directory / f"node{n}", *bootstrap)) for n in range(count)]


async def identified(node: Node, count: int) -> None:
    """Return once `node` knows what at least `count` peers speak."""
    changed = trio.Event()

    def note(peer: PeerId) -> None:
        changed.set()

    node.connections.on_identified(note)
    with trio.fail_after(DEADLINE_S):
        while len({info.peer for info in node.connections.connections() if info.protocols}) < count:
            changed = trio.Event()
            await changed.wait()


def random_file(path: Path, size: int, seed: int = 1) -> Path:
    path.write_bytes(random.Random(seed).randbytes(size))
    return path


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def add(node: Node, path: Path) -> FileAdded:
    with trio.fail_after(DEADLINE_S):
        return await node.files.add_path(path)


async def get(node: Node, cid: CID, target: Path, *, timeout_s: float = 20.0) -> int:
    """Fetch to `target`; how many peers brought blocks."""
    with trio.fail_after(2 * DEADLINE_S):
        return (await node.files.save(cid, target, overwrite=False, timeout_s=timeout_s)).providers


async def providers(node: Node, cid: CID, count: int = 20) -> set[PeerId]:
    """Whom a search for providers finds within a few seconds."""
    found: set[PeerId] = set()
    with trio.fail_after(DEADLINE_S):
        async for info in node.find_providers(cid, count, 10.0):
            found.add(info.peer)
    return found


async def provided_by(node: Node, cid: CID, provider: Node) -> None:
    """Return once `node` finds `provider` as one of `cid`, which is announced behind what is done."""
    with trio.fail_after(DEADLINE_S):
        while provider.peer_id not in await providers(node, cid):  # noqa: ASYNC110
            await trio.sleep(0.02)


Conduct = Callable[[Stream, bytes], Awaitable[None]]
"""Answers a request for content that it is given."""


async def honest(stream: Stream, content: bytes) -> None:
    await stream.finish(answer_head(len(content)) + content)


def serve_by(node: Node, conduct: Conduct) -> None:
    """Have the node answer requests for blocks by `conduct` from now on."""

    async def serve(stream: Stream) -> None:
        cid = decode_request(await stream.read_to_end(1024))
        await conduct(stream, await node.fetch_block(cid, 1.0))

    node.streams.serve(PROTOCOL, serve)


def names(directory: Path) -> Sequence[str]:
    """What lies in `directory`."""
    return sorted(path.name for path in directory.iterdir())
