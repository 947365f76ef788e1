"""`chiral config show`: every setting in force, of the running node or else as one would start."""

from __future__ import annotations

import json
from typing import Any

import click

from chiral.cli.client import Client, client_for
from chiral.cli.options import Common, data_option, debug_option, json_option
from chiral.cli.printing import print_columns, print_json
from chiral.errors import NodeNotRunningError


@click.command("show")
@data_option
@debug_option
@json_option
def command(as_json: bool) -> None:
    """Show every setting, its value, and who gave it: default, a profile, the file, the environment, the command line.

    Those of the running node; where none runs, those that one would start with.
    """
    common = click.get_current_context().ensure_object(Common)
    settings = _settings(common)
    if as_json:
        for setting in settings:
            print_json(setting)
        return
    print_columns(
        [(setting["key"], json.dumps(setting["value"], ensure_ascii=False), setting["origin"]) for setting in settings]
    )


def _settings(common: Common) -> list[dict[str, Any]]:
    data_dir = common.data_dir()
    try:
        client: Client = client_for(data_dir)
        found: list[dict[str, Any]] = client.call("GET", "/config")["items"]
        return found
    except NodeNotRunningError:
        from chiral.config.load import load_config  # loaded on use: a running node is asked without it

        return [
            {"key": key, "value": value, "origin": origin} for key, value, origin in load_config(data_dir).entries()
        ]
