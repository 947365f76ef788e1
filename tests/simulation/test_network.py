"""Links: what arrives, when, and what a dead or silent peer looks like."""

from __future__ import annotations

import pytest

from chiral.kad.messages import Message, MessageType, encode_message
from tests.simulation.conditions import Conditions, Links
from tests.simulation.network import Meter
from tests.simulation.swarm import Swarm

_FIND = Message(MessageType.FIND_NODE, b"key")


def ask(swarm: Swarm, message: Message = _FIND) -> list[tuple[str, float, object]]:
    """The first node asks the second; what came of it, and when."""
    came: list[tuple[str, float, object]] = []
    one, other = swarm.nodes[:2]
    now = swarm.engine.now
    swarm.network.request(
        one,
        other.peer,
        message,
        lambda reply: came.append(("reply", swarm.engine.now - now, reply)),
        lambda: came.append(("failure", swarm.engine.now - now, None)),
    )
    swarm.engine.run()
    return came


def test_an_answer_takes_the_dial_and_a_round_trip() -> None:
    plain = Conditions(links=Links(loss=0.0, jitter_sigma=0.0))
    swarm = Swarm(50, 1, plain)
    [(how, seconds, reply)] = ask(swarm)
    assert how == "reply"
    assert isinstance(reply, Message)
    assert len(reply.closer) == plain.k
    at_once = Swarm(50, 1, Conditions(links=Links(loss=0.0, jitter_sigma=0.0, dial_rtts=0.0)))
    assert seconds == pytest.approx(5 * ask(at_once)[0][1])


def test_a_lost_exchange_ends_at_the_request_timeout() -> None:
    swarm = Swarm(50, 1, Conditions(links=Links(loss=1.0)))
    assert ask(swarm) == [("failure", swarm.conditions.request_timeout_s, None)]


@pytest.mark.parametrize("silent", [0.0, 1.0])
def test_the_dead_refuse_or_say_nothing(silent: float) -> None:
    swarm = Swarm(50, 1, Conditions(links=Links(silent=silent)))
    swarm.kill(swarm.nodes[1])
    [(how, seconds, _)] = ask(swarm)
    assert how == "failure"
    assert (seconds == swarm.conditions.request_timeout_s) == bool(silent)


def test_who_dies_under_way_does_not_answer() -> None:
    swarm = Swarm(50, 1, Conditions(links=Links(loss=0.0)))
    swarm.engine.after(0.001, lambda: swarm.kill(swarm.nodes[1]))
    assert ask(swarm)[0][0] == "failure"


def test_the_asked_learns_of_the_asker() -> None:
    swarm = Swarm(2, 1, Conditions(links=Links(loss=0.0)), warm=False)
    ask(swarm)
    assert swarm.nodes[0].peer in swarm.nodes[1].table


def test_a_record_is_kept_and_handed_out() -> None:
    swarm = Swarm(50, 1, Conditions(links=Links(loss=0.0)))
    own = swarm.nodes[0].peer.entry
    [(how, _, reply)] = ask(swarm, Message(MessageType.ADD_PROVIDER, b"key", providers=(own,)))
    assert (how, reply) == ("reply", None)
    [(_, _, reply)] = ask(swarm, Message(MessageType.GET_PROVIDERS, b"key"))
    assert isinstance(reply, Message)
    assert reply.providers == (own,)


def test_the_meter_counts_encoded_bytes() -> None:
    swarm = Swarm(50, 1, Conditions(links=Links(loss=0.0)))
    meter = swarm.network.meter = Meter(sizes=True)
    [(_, _, reply)] = ask(swarm)
    assert isinstance(reply, Message)
    assert (meter.requests, meter.answers) == (1, 1)
    assert meter.sent_bytes == len(encode_message(_FIND)) + len(encode_message(reply))


def test_a_full_bucket_asks_after_its_oldest_and_drops_it_dead() -> None:
    swarm = Swarm(300, 1, Conditions(links=Links(loss=0.0)))
    node = swarm.nodes[0]
    oldest = next(iter(node.table)).peer
    swarm.kill(swarm.nodes[oldest.index])  # type: ignore[attr-defined]
    stranger = next(
        peer
        for peer in swarm.ring.peers
        if peer not in node.table and peer.point >> 255 != node.peer.point >> 255 and peer is not node.peer
    )
    swarm.engine.run(3600.0)
    swarm.network.observed(node, stranger)
    swarm.engine.run()
    assert oldest not in node.table
    assert stranger in node.table
    assert swarm.network.meter.probes >= 1
