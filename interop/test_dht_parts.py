"""What the swarm scenarios rest on: who the true closest are, how figures are made of searches, what is counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from chiral.host.identity import new_identity, peer_id_of
from chiral.host.stream import HostStream
from chiral.interface.peer import PeerId
from chiral.kad.framing import frame_message
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType
from interop.dht.asker import Asker
from interop.dht.counters import bytes_sent, connections
from interop.dht.idle import isolated
from interop.dht.latency import Latency, Lookup, Provided, record, search, summary, table
from interop.dht.member import Found, Member
from interop.dht.sent import Sent
from interop.dht.swarm import DhtSwarm, Plan
from interop.dht.truth import closest, neighbours, point, quantile
from interop.kinds import Kind

INTERFACES = """Inter-|   Receive                                       |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo:  1200     12    0    0    0     0          0         0  3400      12    0    0    0     0       0          0
"""
SOCKETS = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:9C40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:9C40 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 0100007F:D431 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1
   3: 0100007F:D432 0100007F:9C40 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
"""


def test_the_true_closest_are_those_of_the_dht() -> None:
    peers = {str(peer): peer for peer in (peer_id_of(new_identity()) for _ in range(30))}
    target = KadKey.of(b"a key")
    expected = sorted(peers, key=lambda text: target.distance(KadKey.of(peers[text].raw)))
    assert closest(b"a key", peers) == expected[:20]
    assert closest(b"a key", peers, 3) == expected[:3]


def test_neighbours_are_the_closest_that_a_table_has_room_for() -> None:
    ids = [str(peer_id_of(new_identity())) for _ in range(101)]
    peer, others = ids[0], ids[1:]
    near = neighbours(peer, others)
    assert near, "the nearest buckets are never full"
    assert near == closest(PeerId.parse(peer).raw, others)[: len(near)]
    own = point(PeerId.parse(peer).raw)
    crowded = [other for other in others if (point(PeerId.parse(other).raw) ^ own) >> 255]
    assert len(crowded) > 20
    assert not set(crowded) & set(neighbours(peer, others, 100))


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 10), (0.95, 19), (1.0, 20)])
def test_quantiles(share: float, value: float) -> None:
    assert quantile(list(range(20, 0, -1)), share) == value


def test_there_is_no_quantile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_a_summary_has_a_row_for_all_and_one_for_each_kind() -> None:
    lookups = [Lookup("go", 0.1, True), Lookup("python", 0.3, True), Lookup("python", 0.7, False)]
    rows = summary("25, all alive", lookups, 0.5)
    assert [(row.who, row.found, row.lookups, row.verdict) for row in rows] == [
        ("all", 2, 3, "not met"),
        ("go", 1, 1, "met"),
        ("python", 1, 2, "not met"),
    ]
    shown = table(rows).splitlines()
    assert " ".join(shown[1].split()) == "25, all alive all 2/3 0.300 s 0.700 s 0.700 s 0.500 s not met"


def test_rows_are_recorded_as_json(tmp_path: Path) -> None:
    row = Latency("here", "all", 1, 1, 0.1, 0.1, 0.1, 0.5)
    record(tmp_path / "new" / "rows.json", [row])
    (read,) = json.loads((tmp_path / "new" / "rows.json").read_text(encoding="utf-8"))
    assert (read["state"], read["p95"], read["verdict"]) == ("here", 0.1, "met")


class Process:
    """Of a peer that need not run."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.killed = False

    def kill(self) -> None:
        self.killed = True


class Seeker:
    """Finds whatever it looks for, and remembers what that was."""

    def __init__(self, peer_id: str) -> None:
        self.kind = Kind.PYTHON
        self.peer_id = peer_id
        self.sought: list[str] = []

    async def find(self, cid: str) -> Found:
        await trio.lowlevel.checkpoint()
        self.sought.append(cid)
        return Found({"a"}, 0.1)


async def test_seekers_take_turns_and_look_for_nothing_twice_nor_for_their_own() -> None:
    seekers = [Seeker("a"), Seeker("b"), Seeker("c")]
    provided = [Provided("1", "a"), Provided("2", "b"), Provided("3", "d")]
    lookups = await search(seekers, provided, 6)  # type: ignore[arg-type]
    assert [seeker.sought for seeker in seekers] == [["2", "3"], ["1", "3"], ["1", "2"]]
    assert [lookup.found for lookup in lookups].count(True) == 2


def made_of(*houses: int, others: Sequence[Kind] = ()) -> DhtSwarm:
    swarm = DhtSwarm(Asker(None))  # type: ignore[arg-type]
    for pid, count in enumerate(houses):
        process = Process(pid)
        swarm.members += [Member(Kind.PYTHON, f"{pid}-{n}", "", process, n) for n in range(count)]  # type: ignore[arg-type]
    for pid, kind in enumerate(others, start=100):
        swarm.members.append(Member(kind, f"{kind}", "", Process(pid)))  # type: ignore[arg-type]
    return swarm


def test_those_to_be_killed_are_one_of_each_kind_and_whole_houses_from_the_end() -> None:
    swarm = made_of(5, 5, 5, others=[Kind.GO, Kind.GO, Kind.RUST_054])
    doomed = swarm.doomed(0.3, swarm.members[:1])
    assert Counter(member.process.pid for member in doomed) == {102: 1, 101: 1, 2: 5}
    swarm.kill(doomed[:3])
    assert len(swarm.members) == 11, "who shares the process of one that is killed is gone with it"


def test_who_is_spared_keeps_its_process() -> None:
    swarm = made_of(5, 5, 5)
    doomed = swarm.doomed(0.3, [swarm.members[0], swarm.members[-1]])
    assert {member.process.pid for member in doomed} == {1}
    with pytest.raises(ValueError, match="too few"):
        swarm.doomed(0.5, [swarm.members[0], swarm.members[-1]])


def test_the_truth_leaves_out_the_provider() -> None:
    swarm = DhtSwarm(Asker(None))  # type: ignore[arg-type]
    ids = [str(peer_id_of(new_identity())) for _ in range(22)]
    swarm.members = [Member(Kind.PYTHON, peer, "", Process(0), 0) for peer in ids]  # type: ignore[arg-type]
    assert swarm.truth(b"key", swarm.members[0]) == set(closest(b"key", ids[1:]))


def test_the_size_of_a_plan_counts_everybody() -> None:
    assert Plan([5, 1], {Kind.GO: 4}).size == 10


def test_the_counters_of_the_kernel_are_read() -> None:
    assert bytes_sent(INTERFACES) == 3400
    assert connections(SOCKETS) == 1
    with pytest.raises(LookupError, match="eth0"):
        bytes_sent(INTERFACES, "eth0")


def test_isolation_keeps_the_arguments_apart_from_the_shell() -> None:
    command = isolated(["--watch", "1; x"])
    assert command[:3] == ["unshare", "-rn", "sh"]
    assert command[-1] == "1; x"


def test_requests_are_counted_by_type_and_since_the_beginning() -> None:
    sent = Sent("/kad")
    kad, other = (HostStream(None, peer_id_of(new_identity()), name, None) for name in ("/kad", "/other"))  # type: ignore[arg-type]
    find, told = (frame_message(Message(kind, b"k")) for kind in (MessageType.FIND_NODE, MessageType.ADD_PROVIDER))
    sent.asked(kad, find)
    sent.asked(kad, told * 3)
    sent.asked(other, find)
    sent.asked(kad, b"")
    assert sent.requests() == {"FIND_NODE": 1, "ADD_PROVIDER": 3}
    sent.asked(kad, find)
    assert sent.requests() == {"FIND_NODE": 2, "ADD_PROVIDER": 3}
