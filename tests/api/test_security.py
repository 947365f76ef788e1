"""Who is let in, and which local paths may be named."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import httpx
import pytest

from chiral.api.doors import tcp_admission
from chiral.api.endpoint import read_token
from chiral.config.api import ApiSettings
from tests.api.conftest import Served

FILES = ("api.token", "api.json", "api.sock")


@pytest.mark.parametrize("name", FILES)
async def test_the_apis_files_are_the_owners_alone(served: Served, name: str) -> None:
    assert stat.S_IMODE((served.data_dir / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic x", "bearer é"])
async def test_without_the_token_nothing_is_answered(served: Served, transport: str, given: str) -> None:
    async with getattr(served, transport)() as client:
        for method, path in (("GET", "/id"), ("GET", "/openapi.json"), ("POST", "/shutdown"), ("GET", "/nope")):
            answer = await client.request(method, path, headers={"authorization": given.encode("utf-8")})
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert not served.stop.is_set()


async def test_a_refusal_does_not_tell_the_token(served: Served) -> None:
    async with served.tcp() as client:
        answer = await client.get("/id", headers={"authorization": "x"})
    assert served.token not in answer.text + str(answer.headers)


async def test_a_part_of_the_token_is_not_enough(served: Served) -> None:
    async with served.tcp() as client:
        for given in (served.token[:-1], served.token + "x", served.token[::-1]):
            answer = await client.get("/id", headers={"authorization": f"Bearer {given}"})
            assert answer.status_code == 401


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1.evil.example:{port}",
        "[::2]:{port}",
        "",
        "localhost:{port}@evil",
    ],
)
async def test_other_hosts_are_refused(served: Served, host: str) -> None:
    async with served.tcp(host=host.format(port=served.port)) as client:
        answer = await client.get("/id")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
async def test_own_hosts_are_served(served: Served, host: str) -> None:
    async with served.tcp(host=host.format(port=served.port)) as client:
        assert (await client.get("/id")).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:{port}",
        "",
    ],
)
async def test_other_origins_are_refused(served: Served, origin: str) -> None:
    async with served.tcp(origin=origin.format(port=served.port)) as client:
        answer = await client.get("/id")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_the_own_origin_is_served(served: Served) -> None:
    async with served.tcp(origin=f"http://127.0.0.1:{served.port}") as client:
        assert (await client.get("/id")).status_code == 200


async def test_no_answer_invites_other_origins(served: Served) -> None:
    async with served.tcp(origin="http://evil.example") as client:
        answer = await client.options("/id", headers={"access-control-request-method": "GET"})
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_paths_are_not_taken_over_tcp(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    cid = served.node.files.hold(b"y", "f")
    async with served.tcp() as client:
        added = await client.post("/files", json={"path": str(file)})
        saved = await client.post(f"/files/{cid}/save", json={"path": str(tmp_path / "out")})
    for answer in (added, saved):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert not (tmp_path / "out").exists()
    assert list(served.node.files.local) == [cid]


async def add(served: Served, path: str | Path) -> httpx.Response:
    async with served.unix() as client:
        return await client.post("/files", json={"path": str(path)})


async def save(served: Served, **where: object) -> httpx.Response:
    cid = served.node.files.hold(b"y", "f")
    async with served.unix() as client:
        return await client.post(f"/files/{cid}/save", json=where)


def refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("path", ["api.token", "sub/../api.token", "./api.token", "../node/api.token"])
async def test_files_of_the_data_directory_are_not_added(served: Served, path: str) -> None:
    (served.data_dir / "sub").mkdir()
    assert refused(await add(served, f"{served.data_dir}/{path}"))


async def test_nor_through_links(served: Served, tmp_path: Path) -> None:
    token = served.data_dir / "api.token"
    (tmp_path / "file").symlink_to(token)
    (tmp_path / "folder").symlink_to(served.data_dir)
    (tmp_path / "chain").symlink_to(tmp_path / "file")
    os.link(token, tmp_path / "hard")
    for path in ("file", "folder/api.token", "chain", "hard"):
        assert refused(await add(served, tmp_path / path)), path


async def test_nor_through_proc(served: Served) -> None:
    descriptor = os.open(served.data_dir / "api.token", os.O_RDONLY)
    try:
        assert refused(await add(served, f"/proc/self/fd/{descriptor}"))
    finally:
        os.close(descriptor)
    assert refused(await add(served, f"/proc/self/root{served.data_dir}/api.token"))


async def test_a_hard_link_to_something_else_is_fine(served: Served, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x")
    os.link(tmp_path / "one", tmp_path / "two")
    assert (await add(served, tmp_path / "two")).status_code == 200


async def test_nothing_is_saved_into_the_data_directory(served: Served, tmp_path: Path) -> None:
    before = (served.data_dir / "api.token").read_bytes()
    (tmp_path / "folder").symlink_to(served.data_dir)
    (tmp_path / "file").symlink_to(served.data_dir / "api.token")
    assert refused(await save(served, path=str(served.data_dir / "config.toml")))
    assert refused(await save(served, path=str(tmp_path / "folder" / "config.toml")))
    assert refused(await save(served, directory=str(served.data_dir)))
    assert refused(await save(served, directory=str(tmp_path / "folder")))
    await save(served, path=str(tmp_path / "file"), overwrite=True)
    assert (served.data_dir / "api.token").read_bytes() == before
    assert not (served.data_dir / "config.toml").exists()


@pytest.mark.parametrize("path", ["relative", "", "~/x", "file:///etc/passwd"])
async def test_relative_paths_are_refused(served: Served, path: str) -> None:
    answer = await add(served, path)
    assert (answer.status_code, answer.json()["code"]) == (400, "usage")


async def test_what_is_no_regular_file_is_refused(served: Served, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path, tmp_path / "missing", tmp_path / "loop"):
        answer = await add(served, path)
        assert (answer.status_code, answer.json()["code"]) == (422, "file_access"), path


def test_a_wildcard_listener_takes_ip_literals_and_named_hosts_only() -> None:
    settings = ApiSettings(listen="0.0.0.0:80", allow_remote=True, allowed_hosts=("node.example",))
    admission = tcp_admission(settings, "t" * 40, 80)

    def let_in(host: str) -> bool:
        headers = {b"host": host.encode(), b"authorization": b"Bearer " + b"t" * 40}
        return admission.refusal(headers) is None

    assert let_in("192.0.2.7:80")
    assert let_in("[2001:db8::1]:80")
    assert let_in("NODE.example:80")
    assert not let_in("other.example:80")
    assert not let_in("192.0.2.7:81")


async def test_the_token_lives_as_long_as_it_was_private(served: Served) -> None:
    from chiral.api.endpoint import ensure_token

    path = served.data_dir / "api.token"
    assert ensure_token(served.data_dir) == served.token
    path.chmod(0o644)
    renewed = ensure_token(served.data_dir)
    assert renewed != served.token
    assert read_token(path) == renewed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
