"""When own keys are due."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chiral.routing.own_keys import OwnKeys

REPUBLISH_S, RETRY_S = 100.0, 10.0


def keys() -> OwnKeys:
    return OwnKeys(republish_s=REPUBLISH_S, retry_s=RETRY_S)


def test_a_key_being_announced_is_not_due() -> None:
    own = keys()
    own.begin([b"a"])
    assert b"a" in own
    assert own.due(1e12, 10) == []
    assert own.next_due() is None


def test_due_again_after_the_interval_or_sooner_if_nobody_took_it() -> None:
    own = keys()
    own.begin([b"a", b"b"])
    own.announced(b"a", 20, 0.0)
    own.announced(b"b", 0, 0.0)
    assert (len(own), own.pending) == (2, 1)
    assert own.next_due() == RETRY_S
    assert own.due(RETRY_S - 1, 10) == []
    assert own.due(RETRY_S, 10) == [b"b"]
    assert own.due(REPUBLISH_S, 10) == [b"a"]


def test_removed_keys_are_never_due() -> None:
    own = keys()
    own.begin([b"a"])
    own.remove([b"a", b"unknown"])
    own.announced(b"a", 5, 0.0)
    assert b"a" not in own
    assert own.due(1e12, 10) == []


def test_hastening_touches_only_what_few_have_taken() -> None:
    own = keys()
    own.begin([b"none", b"few", b"many", b"now"])
    own.announced(b"none", 0, 0.0)
    own.announced(b"few", 2, 0.0)
    own.announced(b"many", 10, 0.0)
    own.hasten(1.0, 1)
    assert own.due(1.0, 10) == [b"none"]
    own.begin([b"none"])
    own.hasten(2.0, 5)
    assert own.due(2.0, 10) == [b"few"]


def test_the_longest_due_come_first_and_no_more_than_asked() -> None:
    own = keys()
    for number in range(10):
        own.begin([b"%d" % number])
        own.announced(b"%d" % number, 1, float(9 - number))
    assert own.due(1e6, 3) == [b"9", b"8", b"7"]
    assert own.due(1e6, 3) == [b"6", b"5", b"4"]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["begin", "done", "fail", "remove", "due"])), max_size=200)
)
def test_the_queue_agrees_with_a_plain_account(steps: list[tuple[int, str]]) -> None:
    own = keys()
    account: dict[bytes, float] = {}
    for now, (number, step) in enumerate(steps):
        key = b"%d" % number
        if step == "begin":
            own.begin([key])
            account[key] = float("inf")
        elif step in ("done", "fail") and key in account:
            own.announced(key, 1 if step == "done" else 0, now)
            account[key] = now + (REPUBLISH_S if step == "done" else RETRY_S)
        elif step == "remove":
            own.remove([key])
            account.pop(key, None)
        elif step == "due":
            expected = {key for key, due_at in account.items() if due_at <= now}
            assert set(own.due(now, 100)) == expected
            account.update(dict.fromkeys(expected, float("inf")))
            own.begin(expected)
        assert len(own) == len(account)
        waiting = [due_at for due_at in account.values() if due_at < float("inf")]
        assert own.next_due() == (min(waiting) if waiting else None)
