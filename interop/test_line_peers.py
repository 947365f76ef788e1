"""Rust and Go peers among themselves: what the matrix rests on, so that a failure there is Chiral's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from interop.build import can_build
from interop.child import PeerError
from interop.kinds import Kind
from interop.line_peer import LinePeer, open_line_peer
from interop.swarm import sha256_of, write_file

SIZE_BYTES = 3 * 262_144 + 5
EMPTY_ROOT = "bafkreic563qoe5qtlhjqvatvawhcth6maoavgrkf6vopipsbta7v2teuky"
UNKNOWN = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
BUILT = [Kind.RUST_NEWEST, Kind.GO]


@pytest.mark.parametrize("provider_kind", BUILT)
@pytest.mark.parametrize("fetcher_kind", BUILT)
async def test_a_file_goes_over_through_a_bootstrap_node(
    provider_kind: Kind, fetcher_kind: Kind, tmp_path: Path, need: Callable[..., None]
) -> None:
    need(provider_kind, fetcher_kind)
    source, copy = tmp_path / "source", tmp_path / "copy"
    sha256 = write_file(source, SIZE_BYTES, "line peers")
    async with (
        _peer(fetcher_kind, tmp_path / "b") as bootstrap,
        _peer(provider_kind, tmp_path / "p", bootstrap.addrs[0]) as provider,
        _peer(fetcher_kind, tmp_path / "f", bootstrap.addrs[0]) as fetcher,
    ):
        cid = await provider.add(source)
        fetched = await fetcher.get(cid, copy, 30)
        assert (fetched.size, sha256_of(copy)) == (SIZE_BYTES, sha256)
        assert provider.peer_id in await fetcher.providers(cid)


@pytest.mark.parametrize("kind", list(Kind)[1:])
async def test_the_contract_of_the_lines(kind: Kind, tmp_path: Path, need: Callable[..., None]) -> None:
    need(kind)
    empty = tmp_path / "empty"
    empty.touch()
    async with _peer(kind, tmp_path / "peer", options=["--seed", "7"]) as peer:
        assert await peer.add(empty) == EMPTY_ROOT
        assert (await peer.command("id"))["addrs"] == peer.addrs
        assert await peer.providers(UNKNOWN) == []
        with pytest.raises(PeerError, match="no such command"):
            await peer.command("nonsense")
        with pytest.raises(PeerError, match="no providers found"):
            await peer.get(UNKNOWN, tmp_path / "out", 30)
        with pytest.raises(ValueError, match="white space"):
            await peer.command("add", "a path")
        peer.kill()
        with pytest.raises(PeerError):
            await peer.command("id")


async def test_a_seed_fixes_the_identity_in_both_languages(tmp_path: Path, need: Callable[..., None]) -> None:
    need(*BUILT)
    seed = ["--seed", "chiral"]
    async with (
        _peer(Kind.RUST_NEWEST, tmp_path / "rust", options=seed) as rust,
        _peer(Kind.GO, tmp_path / "go", options=seed) as go,
    ):
        assert rust.peer_id == go.peer_id


@pytest.mark.parametrize("fetcher_kind", BUILT)
@pytest.mark.parametrize("mode", ["truncate", "reset", "lie", "huge", "garbage"])
async def test_a_wrong_answer_is_no_block(
    fetcher_kind: Kind, mode: str, tmp_path: Path, need: Callable[..., None]
) -> None:
    need(Kind.GO, fetcher_kind)
    source, copy = tmp_path / "source", tmp_path / "copy"
    write_file(source, SIZE_BYTES, mode)
    async with _peer(Kind.GO, tmp_path / "p") as provider, _peer(fetcher_kind, tmp_path / "f") as fetcher:
        cid = await provider.add(source)
        await fetcher.connect(provider.addrs[0])
        await provider.command("raw-serve", mode, "chunks")
        with pytest.raises(PeerError, match="chunk"):
            await fetcher.command("get-from", provider.peer_id, cid, str(copy))
        assert not copy.exists()
        await provider.command("raw-serve", "ok")
        await fetcher.command("get-from", provider.peer_id, cid, str(copy))
        assert copy.stat().st_size == SIZE_BYTES


def test_the_tools_decide_what_can_be_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [kind for kind in Kind if can_build(kind)] == [Kind.PYTHON]


def _peer(
    kind: Kind, folder: Path, *bootstrap: str, options: Sequence[str] = ()
) -> AbstractAsyncContextManager[LinePeer]:
    folder.mkdir()
    return open_line_peer(kind, folder, bootstrap, options)
