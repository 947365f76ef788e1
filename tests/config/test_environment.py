"""Settings out of environment variables."""

from __future__ import annotations

import pytest

from chiral.config.environment import read_environment, variable_of
from chiral.config.model import NodeConfig
from chiral.errors import ConfigError


def test_a_nested_setting() -> None:
    found = read_environment({"CHIRAL_HOST__MAX_CONNECTIONS": "7", "PATH": "/bin"}, NodeConfig)
    assert found == {"host.max_connections": "7"}


def test_two_levels_down() -> None:
    found = read_environment({"CHIRAL_ROUTING__INBOUND__STREAMS": "7"}, NodeConfig)
    assert found == {"routing.inbound.streams": "7"}


def test_a_setting_at_the_top() -> None:
    assert read_environment({"CHIRAL_PROFILE": "bootstrap"}, NodeConfig) == {"profile": "bootstrap"}


@pytest.mark.parametrize("text", ["/ip4/1.2.3.4/tcp/1,/ip6/::1/tcp/2", '["/ip4/1.2.3.4/tcp/1", "/ip6/::1/tcp/2"]'])
def test_a_list_with_commas_or_as_an_array(text: str) -> None:
    found = read_environment({"CHIRAL_HOST__LISTEN": text}, NodeConfig)
    assert found == {"host.listen": ["/ip4/1.2.3.4/tcp/1", "/ip6/::1/tcp/2"]}


def test_an_unreadable_list_names_the_variable() -> None:
    with pytest.raises(ConfigError, match=r"CHIRAL_HOST__LISTEN.*cannot be read"):
        read_environment({"CHIRAL_HOST__LISTEN": '["/ip4'}, NodeConfig)


@pytest.mark.parametrize(
    "name",
    ["CHIRAL_PORT_4101_TCP", "CHIRAL_SERVICE_HOST", "CHIRAL_HOST", "CHIRAL_HOST__", "CHIRAL_DATA", "CHIRAL_API_URL"],
)
def test_variables_that_name_no_setting_are_left_alone(name: str) -> None:
    assert read_environment({name: "x"}, NodeConfig) == {}


def test_an_unknown_key_of_a_known_section_is_passed_on_to_be_refused() -> None:
    assert read_environment({"CHIRAL_HOST__NOPE": "x"}, NodeConfig) == {"host.nope": "x"}
    assert read_environment({"CHIRAL_HOST__NOPE__DEEPER": "x"}, NodeConfig) == {"host.nope.deeper": "x"}


def test_the_variable_of_a_key() -> None:
    assert variable_of("host.max_connections") == "CHIRAL_HOST__MAX_CONNECTIONS"
