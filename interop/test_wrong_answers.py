"""A Python node among peers that answer wrongly: the next provider or a clear error, no short file, the node alive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from interop.kinds import Kind
from interop.line_peer import open_line_peer
from interop.python_peer import CommandError, open_python_peer
from interop.swarm import sha256_of, write_file

MODES = ["truncate", "reset", "stall", "lie", "huge", "garbage"]
SIZE_BYTES = 3 * 262_144 + 5
GET_S = 8.0


@pytest.mark.parametrize("scope", ["chunks", "all"])
@pytest.mark.parametrize("mode", MODES)
async def test_a_node_survives_its_only_provider(
    mode: str, scope: str, tmp_path: Path, need: Callable[..., None]
) -> None:
    need(Kind.GO)
    source, copy = tmp_path / "source", tmp_path / "copy"
    sha256 = write_file(source, SIZE_BYTES, mode)
    async with (
        open_line_peer(Kind.GO, _folder(tmp_path, "provider"), (), ()) as provider,
        open_python_peer(_folder(tmp_path, "node"), provider.addrs, ()) as node,
    ):
        cid = await provider.add(source)
        await provider.command("raw-serve", mode, *([scope] if scope == "chunks" else []))
        with pytest.raises(CommandError) as caught:
            await node.get(cid, copy, GET_S)
        assert caught.value.exit_code in (1, 3, 4)
        assert "Traceback" not in str(caught.value)
        assert _names(tmp_path) == ["node", "provider", "source"]
        await provider.command("raw-serve", "ok")
        await node.get(cid, copy, GET_S)
        assert sha256_of(copy) == sha256


@pytest.mark.parametrize("mode", MODES)
async def test_the_next_provider_helps(mode: str, tmp_path: Path, need: Callable[..., None]) -> None:
    need(Kind.GO)
    source, copy = tmp_path / "source", tmp_path / "copy"
    sha256 = write_file(source, SIZE_BYTES, mode)
    async with (
        open_line_peer(Kind.GO, _folder(tmp_path, "liar"), (), ()) as liar,
        open_line_peer(Kind.GO, _folder(tmp_path, "honest"), liar.addrs, ()) as honest,
        open_python_peer(_folder(tmp_path, "node"), liar.addrs, ()) as node,
    ):
        cid = await liar.add(source)
        assert await honest.add(source) == cid
        await liar.command("raw-serve", mode)
        await node.get(cid, copy, 60)
        assert sha256_of(copy) == sha256


async def test_a_killed_provider_leaves_no_short_file(tmp_path: Path, need: Callable[..., None]) -> None:
    need(Kind.GO)
    source, copy = tmp_path / "source", tmp_path / "copy"
    write_file(source, SIZE_BYTES, "kill")
    async with (
        open_line_peer(Kind.GO, _folder(tmp_path, "provider"), (), ()) as provider,
        open_python_peer(_folder(tmp_path, "node"), provider.addrs, ()) as node,
    ):
        cid = await provider.add(source)
        await node.providers(cid)
        provider.kill()
        with pytest.raises(CommandError):
            await node.get(cid, copy, GET_S)
        assert not copy.exists()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _folder(base: Path, name: str) -> Path:
    (base / name).mkdir()
    return base / name
