from __future__ import annotations

import pytest

from chiral import errors
from chiral.errors import ChiralError, LocalError, NotFoundError, RemoteError, sole_error

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ChiralError)]
EXIT_CODES = {
    "failed": 1,
    "usage": 2,
    "not_found": 3,
    "no_providers": 3,
    "integrity": 4,
    "no_node": 5,
    "store_full": 1,
    "invalid_cid": 2,
    "remote": 1,
}


@pytest.mark.parametrize("kind", CLASSES)
def test_each_has_a_code_of_its_own_and_says_what_it_is(kind: type[ChiralError]) -> None:
    assert [other for other in CLASSES if other.code == kind.code] == [kind]
    assert kind.code.replace("_", "").isalpha()
    assert kind.code.islower()
    assert kind.exit_code in range(1, 6)
    assert kind.__doc__


@pytest.mark.parametrize("kind", CLASSES)
def test_no_fault_is_both_remote_and_local(kind: type[ChiralError]) -> None:
    assert not (issubclass(kind, RemoteError) and issubclass(kind, LocalError))


@pytest.mark.parametrize(("code", "exit_code"), EXIT_CODES.items())
def test_exit_codes_of_the_command_line(code: str, exit_code: int) -> None:
    assert [kind.exit_code for kind in CLASSES if kind.code == code] == [exit_code]


def test_message_and_hint() -> None:
    assert str(ChiralError("it failed")) == "it failed"
    assert str(ChiralError("it failed", hint="try again")) == "it failed (try again)"
    error = ChiralError("it failed", hint="try again")
    assert (error.message, error.hint) == ("it failed", "try again")
    assert error.args == ("it failed",)


class TestSoleError:
    def test_one_fault_in_groups_comes_out_bare(self) -> None:
        cause = KeyError("why")
        fault = NotFoundError("gone")
        fault.__cause__ = cause
        with pytest.raises(NotFoundError) as caught, sole_error():
            raise ExceptionGroup("outer", [ExceptionGroup("inner", [fault])])
        assert caught.value is fault
        assert caught.value.__cause__ is cause

    def test_any_one_fault(self) -> None:
        with pytest.raises(ValueError, match="alone"), sole_error():
            raise ExceptionGroup("group", [ValueError("alone")])

    def test_of_several_the_first_of_ours_tells(self) -> None:
        with pytest.raises(NotFoundError, match="first"), sole_error():
            raise ExceptionGroup("group", [ValueError(), NotFoundError("first"), RemoteError("second")])

    def test_several_of_others_stay_a_group(self) -> None:
        with pytest.raises(ExceptionGroup) as caught, sole_error():
            raise ExceptionGroup("group", [ValueError("one"), KeyError("two")])
        assert len(caught.value.exceptions) == 2

    def test_what_is_no_group_passes(self) -> None:
        with pytest.raises(ValueError, match="plain"), sole_error():
            raise ValueError("plain")
        with sole_error():
            pass
