"""Options that commands share: which node is meant and how results are printed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from chiral.cli.client import Client, client_for
from chiral.config.data_dir import absolute, default_data_dir

Function = TypeVar("Function", bound=Callable[..., Any])
DEFAULT_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Common:
    """What was given on the command line for every command: filled while click parses, read when the command runs."""

    data: str | None = None
    debug: bool = False
    api: str | None = None
    token_file: str | None = None

    def data_dir(self) -> Path:
        """The data directory meant, absolute."""
        return absolute(Path(self.data)) if self.data else default_data_dir()

    def client(self) -> Client:
        """A client of the node meant; raises `NodeNotRunningError`, `FileAccessError`, `UsageError`."""
        return client_for(self.data_dir(), api=self.api, token_file=self.token_file)


def _store(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(context.ensure_object(Common), name, value)

    return callback


data_option = click.option(
    "--data", metavar="DIR", type=click.Path(), expose_value=False, callback=_store("data"),
    help="The node's data directory.",
)  # fmt: skip
debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_store("debug"), hidden=True,
    help="Show where in the program a fault arose.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one value a line.")
timeout_option = click.option(
    "--timeout", "timeout_s", metavar="S", type=click.FloatRange(0, 86_400, min_open=True), default=DEFAULT_TIMEOUT_S,
    show_default=True, help="Longest wait in seconds.",
)  # fmt: skip


def client_command(function: Function) -> Function:
    """Options that say which node a client command speaks to; the command is given a `Client` as its first argument."""

    @functools.wraps(function)
    def with_client(*args: Any, **kwargs: Any) -> Any:
        common = click.get_current_context().ensure_object(Common)
        return function(common.client(), *args, **kwargs)

    api = click.option(
        "--api", metavar="URL", expose_value=False, envvar="CHIRAL_API_URL", callback=_store("api"),
        help="The node's API, such as http://127.0.0.1:5101, instead of its data directory.",
    )  # fmt: skip
    token = click.option(
        "--token-file", metavar="FILE", type=click.Path(), expose_value=False, callback=_store("token_file"),
        help="The file with the token for --api (default $CHIRAL_API_TOKEN, else the data directory's).",
    )  # fmt: skip
    wrapped: Any = with_client
    for option in (debug_option, token, api, data_option):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]
