"""`chiral dht`, all but its values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chiral.cli.client import Client
from chiral.cli.commands import dht_providers, dht_stats, dht_table
from chiral.cli.dht_text import bucket_rows, distance_text, moment_text
from chiral.errors import NodeNotRunningError
from tests.cli.conftest import Cli, Running
from tests.cli.test_commands import UNKNOWN
from tests.cli.test_start import loaded_by
from tests.fakes.swarm import BUCKETS, DEAD, OTHER_PEER, PROTOCOL, peer_of

ADDR = "/ip4/127.0.0.1/tcp/4001"


def test_providers(cli: Cli, way: list[str], node: Running) -> None:
    done = cli("dht", "providers", *way, node.held["remote"], "--timeout", "5")
    assert done.lines[:2] == [
        f"{OTHER_PEER}  distance 80000000… (0 bits shared)  told by {peer_of(3)}",
        f"  {ADDR}",
    ]
    (value,) = cli("dht", "providers", *way, node.held["remote"], "--json", "--count", "1").json
    assert (value["peer_id"], value["addrs"], value["told_by"]) == (str(OTHER_PEER), [ADDR], str(peer_of(3)))
    assert int(value["distance"], 16) == 1 << 255


def test_providers_of_what_nobody_has(cli: Cli, way: list[str]) -> None:
    done = cli("dht", "providers", *way, UNKNOWN)
    assert (done.code, done.out) == (3, b"")
    assert "no providers found" in done.err


def test_provide_and_unprovide(cli: Cli, own_node: Running) -> None:
    way = ["--data", str(own_node.data_dir)]
    assert cli("dht", "provide", *way, own_node.held["file"]).lines[0].endswith("19 of 20 peers")
    done = cli("dht", "unprovide", *way, own_node.held["file"])
    assert (done.code, done.out) == (0, b"")
    assert cli("dht", "provide", *way, own_node.held["file"], "--json").json[0]["stored"] == 19
    assert cli("dht", "unprovide", *way, own_node.held["file"], "--json").json == [{"done": True}]
    assert cli("dht", "unprovide", *way, "nonsense").code == 2


def test_closest(cli: Cli, way: list[str], node: Running) -> None:
    first = cli("dht", "closest", *way, node.held["file"]).lines[0]
    assert first.startswith(f"{OTHER_PEER}  distance ")
    assert cli("dht", "closest", *way, OTHER_PEER, "--json").json[0]["distance"] == 64 * "0"
    assert cli("dht", "closest", *way, "nonsense").code == 2


def test_find_peer(cli: Cli, way: list[str]) -> None:
    assert cli("dht", "find-peer", *way, OTHER_PEER).lines == [str(OTHER_PEER), f"  {ADDR}"]
    assert cli("dht", "find-peer", *way, OTHER_PEER, "--json").json == [{"peer_id": str(OTHER_PEER), "addrs": [ADDR]}]
    assert cli("dht", "find-peer", *way, peer_of(7)).code == 3
    assert cli("dht", "find-peer", *way, "nonsense").code == 2


def test_bootstrap(cli: Cli, way: list[str]) -> None:
    assert cli("dht", "bootstrap", *way).lines == [str(OTHER_PEER), str(peer_of(3))]
    done = cli("dht", "bootstrap", *way, f"{ADDR}/p2p/{OTHER_PEER}", f"{ADDR}/p2p/{DEAD}")
    assert (done.code, done.lines) == (0, [str(OTHER_PEER)])
    assert done.err == f"{DEAD} cannot be used: no address answers\n"
    none = cli("dht", "bootstrap", *way, f"{ADDR}/p2p/{DEAD}", "--json")
    assert (none.code, none.json[0]["connected"]) == (1, [])
    assert "no bootstrap peer is connected" in none.err
    assert cli("dht", "bootstrap", *way, ADDR).code == 2


def test_table(cli: Cli, way: list[str]) -> None:
    heading, *lines = cli("dht", "table", *way).lines
    assert heading.split() == ["bucket", "peer", "last", "seen", "latency", "agent", "protocol", "addresses"]
    assert [line.split()[0] for line in lines] == ["0", "0", "1", "1", "2"]
    first, second = lines[0].split(), lines[1].split()
    assert first[1] == str(OTHER_PEER)
    assert first[-5:] == ["1.5", "ms", "fake/1", PROTOCOL, ADDR]
    assert second[-4:] == ["-", "-", PROTOCOL, ADDR]
    assert {entry["bucket"] for entry in cli("dht", "table", *way, "--bucket", "1", "--json").json} == {1}
    assert cli("dht", "table", *way, "--bucket", "7").out == b""
    assert cli("dht", "table", *way, "--bucket", "256").code == 2


def test_the_table_is_read_to_its_last_page(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {0: {"items": [1, 2], "next": 2}, 2: {"items": [3], "next": None}}
    asked = []

    def call(self: Client, method: str, path: str, *, query: dict[str, Any]) -> Any:
        asked.append((method, path, query["bucket"]))
        return pages[query["start"]]

    monkeypatch.setattr(Client, "call", call)
    client = Client(lambda: pytest.fail("no connection is needed"), "", NodeNotRunningError(""), local=True)
    assert list(dht_table.entries_of(client, 7)) == [1, 2, 3]
    assert asked == 2 * [("GET", "/dht/table", 7)]


def test_stats(cli: Cli, way: list[str]) -> None:
    lines = cli("dht", "stats", *way).lines
    assert [name for line in lines if line for name in line.split()[:1]] == [
        *("mode", "peers", "lookups", "lookup", "last", "announced", "announcing", "held", "found", "refused"),
        *(f"{PROTOCOL}:", "bucket", "0", "1", "2-3", "4"),
    ]
    assert "lookups       1 active, 7 done, 2 failed" in lines
    assert "refused       4 rate, 9 slowed" in lines
    assert "lookup time   1.5 ms in 50 %, 20.0 ms in 90 %, 1250.0 ms in 99 % of the last 9" in lines
    assert "mode          server, reachability unknown" in lines
    assert "announcing    CANNOT KEEP UP, 2 h 1 min behind; 2 keys due; no sweep yet" in lines
    assert f"{PROTOCOL}: 24 peers" in lines
    assert lines[-4] == "0       20     ####################"
    (figures,) = cli("dht", "stats", *way, "--json").json
    assert figures["bucket_counts"] == list(BUCKETS)
    assert figures["provider_records"] == 31


def test_figures_of_the_node(cli: Cli, way: list[str]) -> None:
    lines = [line.split() for line in cli("stats", *way).lines]
    assert ["dht.queries_done", "7"] in lines
    assert ["uptime_s", "1.5"] in lines
    assert ["dht.overlays.0.protocol", PROTOCOL] in lines
    assert not any("bucket_counts" in name for name, *_ in lines)
    assert cli("stats", *way, "--json").json[0]["dht"]["peers"] == 24


def test_where_a_provider_is_known_from() -> None:
    held = {"peer_id": "P", "told_by": None, "received_at": 0.0}
    assert dht_providers.source_text(held) == f"recorded here {moment_text(0.0)}"
    assert dht_providers.source_text({**held, "told_by": "Q"}) == "told by Q"
    assert dht_providers.source_text({**held, "told_by": "P"}) == "told by itself"


def test_before_any_lookup_there_is_no_time_of_one() -> None:
    assert dht_stats.latency_text({"count": 0}) == "none yet"


def test_the_last_sweep() -> None:
    sweep = {"due": 0, "keeping_up": True, "last_sweep_at": 0.0, "keys_per_s": 812.4}
    assert dht_stats.announcing_text(sweep) == f"0 keys due; last sweep {moment_text(0.0)}, 812 keys a second"


@pytest.mark.parametrize(
    "arguments",
    [["stats"], ["table"], ["bootstrap"], ["closest", str(OTHER_PEER)], ["find-peer", str(OTHER_PEER)]],
)
def test_nothing_heavy_is_loaded(node: Running, arguments: list[str]) -> None:
    assert loaded_by("--data", str(node.data_dir), "dht", *arguments) == set()


def test_nor_for_providers_and_providing(own_node: Running) -> None:
    for name in ("providers", "provide", "unprovide"):
        cid = own_node.held["remote"]
        assert loaded_by("--data", str(own_node.data_dir), "dht", name, cid) == set()


def test_the_configuration_shows_the_dhts(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text("[routing]\nk = 8\n")
    monkeypatch.setenv("CHIRAL_ROUTING__MODE", "client")
    shown = {item["key"]: item for item in cli("config", "show", "--data", tmp_path, "--json").json}
    assert shown["routing.k"] == {"key": "routing.k", "value": 8, "origin": str(tmp_path / "config.toml")}
    assert (shown["routing.mode"]["value"], shown["routing.mode"]["origin"]) == ("client", "environment")
    assert shown["routing.query_timeout_s"]["value"] == 60.0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--kad-mode", "relay", "routing.mode from the command line: Input should be 'server', 'client' or 'auto'"),
        ("--kad-protocol", "kad", "routing.protocols from the command line"),
        ("--announce", "some", "announce from the command line"),
    ],
)
def test_a_node_does_not_start_with_nonsense(cli: Cli, tmp_path: Path, option: str, value: str, said: str) -> None:
    done = cli("run", "--data", tmp_path, option, value)
    assert (done.code, done.out) == (2, b"")
    assert said in done.err


@pytest.mark.parametrize(
    ("counts", "rows"),
    [
        ((), []),
        ((0, 0), []),
        ((2,), [("0", "2", "##")]),
        ((0, 1, 0), [("0", "-", ""), ("1", "1", "#")]),
        ((0, 0, 0, 1, 0, 2, 0), [("0-2", "-", ""), ("3", "1", "#"), ("4", "-", ""), ("5", "2", "##")]),
    ],
)
def test_runs_of_empty_buckets_are_one_row(counts: tuple[int, ...], rows: list[tuple[str, str, str]]) -> None:
    assert list(bucket_rows(counts)) == rows


def test_distances_and_moments() -> None:
    assert distance_text(64 * "0") == "00000000… (256 bits shared)"
    assert distance_text("4" + 63 * "0") == "40000000… (1 bit shared)"
    assert distance_text("0a" + 62 * "0") == "0a000000… (4 bits shared)"
    assert moment_text(None) == "never"
    assert moment_text(0.0).startswith(("1970-01-01 ", "1969-12-31 "))
