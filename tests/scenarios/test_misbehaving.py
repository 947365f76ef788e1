"""Providers that break the rules on the wire: the next one is used, nothing unverified is stored, the node lives on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.errors import ChiralError, IntegrityError, LimitExceededError, ProtocolError, RemoteError, StreamResetError
from chiral.exchange.codec import NOT_HELD, PROTOCOL, answer_head, decode_request
from chiral.exchange.settings import ExchangeSettings
from chiral.interface.streams import Stream
from chiral.node.node import Node
from chiral.transfer.settings import TransferSettings
from tests.scenarios.swarm import (
    Conduct,
    add,
    config,
    get,
    honest,
    identified,
    names,
    random_file,
    running,
    serve_by,
    sha256_of,
)

MIB_BYTES = 1 << 20
TIMEOUT_S = 0.5


async def lie(stream: Stream, content: bytes) -> None:
    await stream.finish(answer_head(len(content)) + bytes(len(content)))


async def lie_shorter(stream: Stream, content: bytes) -> None:
    await stream.finish(answer_head(len(content) - 1) + content[:-1])


async def truncate(stream: Stream, content: bytes) -> None:
    """End the stream cleanly in the middle of the block."""
    await stream.finish(answer_head(len(content)) + content[: len(content) // 2])


async def reset(stream: Stream, content: bytes) -> None:
    await stream.write(answer_head(len(content)) + content[: len(content) // 2])
    await stream.reset()


async def stall(stream: Stream, content: bytes) -> None:
    await stream.write(answer_head(len(content)) + content[: len(content) // 2])
    await trio.sleep_forever()


async def say_nothing(stream: Stream, content: bytes) -> None:
    await stream.finish()


async def garble(stream: Stream, content: bytes) -> None:
    await stream.finish(b"\x07" + content)


async def promise_all(stream: Stream, content: bytes) -> None:
    """Name a length of 2^64 - 1."""
    await stream.finish(b"\x01" + b"\xff" * 8 + content)


async def flood(stream: Stream, content: bytes) -> None:
    """Send far more than any answer may have, as long as it is taken."""
    await stream.write(answer_head(1 << 40))
    for _ in range(64):
        await stream.write(bytes(MIB_BYTES))


async def deny(stream: Stream, content: bytes) -> None:
    await stream.finish(NOT_HELD)


ALL = [lie, lie_shorter, truncate, reset, stall, say_nothing, garble, promise_all, flood, deny]


def misbehave(node: Node, conduct: Conduct, *, from_request: int) -> None:
    """Have the node answer by `conduct` from its request number `from_request` on, honestly before."""
    served = 0

    async def answer(stream: Stream, content: bytes) -> None:
        nonlocal served
        served += 1
        await (conduct if served > from_request else honest)(stream, content)

    serve_by(node, answer)


@asynccontextmanager
async def fetching(directory: Path, *sources: Node) -> AsyncIterator[Node]:
    """A node that waits but half a second for an answer, a fifth of one before it asks another peer too."""
    addresses = [source.listen_addrs_text()[0] for source in sources]
    impatient = config(directory, *addresses, transfer=TransferSettings(patience_s=0.2, retry_s=0.05)).model_copy(
        update={"exchange": ExchangeSettings(request_timeout_s=TIMEOUT_S)}
    )
    async with Node(impatient) as node:
        await identified(node, len(sources))
        yield node


@pytest.mark.parametrize("from_request", [0, 4], ids=["from the start", "in the middle"])
@pytest.mark.parametrize("conduct", ALL)
async def test_the_next_provider_is_used(tmp_path: Path, conduct: Conduct, from_request: int) -> None:
    original = random_file(tmp_path / "original", 4 * MIB_BYTES)
    async with running(tmp_path / "bad") as bad, running(tmp_path / "good", bad) as good:
        added = await add(good, original)
        await add(bad, original)
        misbehave(bad, conduct, from_request=from_request)
        async with fetching(tmp_path / "down", bad, good) as node:
            await get(node, added.root, tmp_path / "copy")
            assert await node.blockstore.has_many([added.root]) == [False]
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


@pytest.mark.parametrize(
    ("conduct", "error"),
    [
        (lie, IntegrityError),
        (lie_shorter, IntegrityError),
        (truncate, ProtocolError),
        (reset, StreamResetError),
        (stall, RemoteError),
        (say_nothing, ProtocolError),
        (garble, ProtocolError),
        (promise_all, ProtocolError),
        (flood, LimitExceededError),
        (deny, ChiralError),
    ],
)
async def test_alone_it_is_a_clear_error_and_no_file(
    tmp_path: Path, conduct: Conduct, error: type[ChiralError]
) -> None:
    (tmp_path / "out").mkdir()
    async with running(tmp_path / "bad") as bad:
        added = await add(bad, random_file(tmp_path / "original", 4 * MIB_BYTES))
        other = await add(bad, random_file(tmp_path / "other", MIB_BYTES, seed=2))
        misbehave(bad, conduct, from_request=4)
        async with fetching(tmp_path / "down", bad) as node:
            with pytest.raises(error) as raised:
                await get(node, added.root, tmp_path / "out" / "copy")
            assert str(added.root) in raised.value.message
            assert names(tmp_path / "out") == []
            assert await node.files.record(added.root) is None
            assert (await node.blockstore.stats()).blocks <= 4
            # The connection is as good as before: the same peer, honest again, serves on it.
            misbehave(bad, conduct, from_request=1000)
            await get(node, other.root, tmp_path / "other copy")
    assert sha256_of(tmp_path / "other copy") == sha256_of(tmp_path / "other")


class TestFileInfo:
    """A provider whose FileInfo is not what it should be."""

    @pytest.mark.parametrize("claimed", [0, 4 * MIB_BYTES - 1, 4 * MIB_BYTES + 1, 1 << 50])
    async def test_a_size_that_is_not_so(self, tmp_path: Path, claimed: int) -> None:
        with pytest.raises(IntegrityError, match=f"claims {claimed} bytes"):
            await self._get_with(tmp_path, lambda info, _: info.to_json().replace(b"4194304", b"%d" % claimed))

    async def test_of_another_file(self, tmp_path: Path) -> None:
        with pytest.raises(IntegrityError, match="FileInfo of another file"):
            await self._get_with(tmp_path, lambda _, other: other.to_json())

    async def test_with_another_files_blocks(self, tmp_path: Path) -> None:
        with pytest.raises(IntegrityError, match="FileInfo of another file"):
            await self._get_with(
                tmp_path, lambda info, other: FileInfo(info.root_cid, "n", 1, other.chunk_cids, 1).to_json()
            )

    @pytest.mark.parametrize("text", [b"", b"{", b"[[[[", b'{"size":}', b"\xff\x00", b"null"])
    async def test_that_is_none(self, tmp_path: Path, text: bytes) -> None:
        with pytest.raises(IntegrityError, match="neither the block nor a FileInfo"):
            await self._get_with(tmp_path, lambda *_: text)

    async def _get_with(self, tmp_path: Path, forge: Callable[[FileInfo, FileInfo], bytes]) -> None:
        """Get a file of 4 MiB from a provider that forges its FileInfo, given that and another file's."""
        async with running(tmp_path / "bad") as bad:
            added = await add(bad, random_file(tmp_path / "original", 4 * MIB_BYTES))
            other = await add(bad, random_file(tmp_path / "other", MIB_BYTES, seed=2))
            infos = [FileInfo.parse(await bad.fetch_block(cid, 1.0)) for cid in (added.root, other.root)]
            forged = forge(*infos)

            async def serve(stream: Stream) -> None:
                cid = decode_request(await stream.read_to_end(1024))
                content = forged if cid == added.root else await bad.fetch_block(cid, 1.0)
                await stream.finish(answer_head(len(content)) + content)

            bad.streams.serve(PROTOCOL, serve)
            async with fetching(tmp_path / "down", bad) as node:
                try:
                    await get(node, added.root, tmp_path / "copy")
                finally:
                    assert not await trio.Path(tmp_path / "copy").exists()
                    assert not [name for name in names(tmp_path) if name.endswith(".part")]
                    assert await node.files.record(added.root) is None


async def test_requests_that_break_the_rules_harm_nobody_else(tmp_path: Path) -> None:
    """Malformed requests to a node's block server: a reset stream each, and the next request is answered."""
    async with running(tmp_path / "a") as server, running(tmp_path / "b", server) as client:
        added = await add(server, random_file(tmp_path / "f", 1000))
        unknown = CID(1, 0x9999, b"\x99\x01\x20" + bytes(32)).buffer
        for request in (b"", b"\x00", b"\xff" * 8, bytes(8), b"\x05" + bytes(7) + b"\xff" * 5, bytes(5000)):
            with pytest.raises(RemoteError):
                await client.streams.request(server.peer_id, PROTOCOL, request, limit_bytes=MIB_BYTES)
        answer = await client.streams.request(
            server.peer_id, PROTOCOL, len(unknown).to_bytes(8, "little") + unknown, limit_bytes=MIB_BYTES
        )
        assert answer == NOT_HELD
        assert await get(client, added.root, tmp_path / "copy") == 1
