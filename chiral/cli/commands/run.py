"""`chiral run`: a node, until it is told to end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from chiral.cli.options import Common, data_option, debug_option
from chiral.cli.printing import print_json
from chiral.log import LEVELS

if TYPE_CHECKING:
    from chiral.api.server import Ready


@click.command("run")
@data_option
@debug_option
@click.option(
    "--listen",
    metavar="MADDR",
    multiple=True,
    help="Address to listen on, such as /ip4/0.0.0.0/tcp/4101; repeat for more.",
)
@click.option(
    "--bootstrap", metavar="MADDR/p2p/ID", multiple=True, help="A peer to join the swarm through; repeat for more."
)
@click.option("--api", metavar="HOST:PORT", help="Where the HTTP API listens; loopback, port 0 takes a free one.")
@click.option("--api-allow-remote", is_flag=True, help="Permit an --api address that is not loopback. There is no TLS.")
@click.option("--profile", metavar="NAME", help="A named set of settings: default or bootstrap.")
@click.option(
    "--kad-protocol",
    metavar="P",
    multiple=True,
    help="A DHT protocol to speak; repeat for more (default /ipfs/kad/1.0.0).",
)
@click.option(
    "--kad-mode", metavar="MODE", help="Answer others in the DHT: server, client (only ask), or auto (default)."
)
@click.option("--announce", metavar="WHAT", help="What to tell the swarm of: all (default), roots, or off.")
@click.option("--log-level", type=click.Choice(LEVELS), help="The least serious log level written to stderr.")
@click.option("--log-json", is_flag=True, help="Write the log as JSON lines.")
@click.option("--json", "as_json", is_flag=True, help="Print the ready event as a JSON line on stdout.")
@click.pass_obj
def command(
    common: Common,
    listen: tuple[str, ...],
    bootstrap: tuple[str, ...],
    api: str | None,
    api_allow_remote: bool,
    profile: str | None,
    kad_protocol: tuple[str, ...],
    kad_mode: str | None,
    announce: str | None,
    log_level: str | None,
    log_json: bool,
    as_json: bool,
) -> None:
    """Run a node until SIGINT or SIGTERM.

    Settings come from the profile, then config.toml in the data directory, then the environment (CHIRAL_HOST__LISTEN
    and so on), then these options; 'chiral config show' prints them.
    """
    flags = {
        "host.listen": list(listen) or None,
        "bootstrap": list(bootstrap) or None,
        "api.listen": api,
        "api.allow_remote": api_allow_remote or None,
        "profile": profile,
        "routing.protocols": list(kad_protocol) or None,
        "routing.mode": kad_mode,
        "announce": announce,
        "log.level": log_level,
        "log.as_json": log_json or None,
    }
    _serve(common, flags, as_json)


def _serve(common: Common, flags: dict[str, Any], as_json: bool) -> None:
    import trio  # loaded on use, with all below: help must not wait for them

    from chiral.api.server import serve_node
    from chiral.config.load import load_config
    from chiral.log import configure

    loaded = load_config(common.data_dir(), flags=flags)
    configure(loaded.config.log.level, as_json=loaded.config.log.as_json)

    def announce(ready: Ready) -> None:
        if as_json:
            print_json({"event": "ready", "peer_id": ready.peer_id, "addrs": ready.addrs, "api": ready.api})
        else:
            _welcome(ready)
        sys.stdout.flush()

    async def serve() -> None:
        await serve_node(loaded.config, announce, origins=loaded.origins)

    trio.run(serve)


def _welcome(ready: Ready) -> None:
    click.echo(f"peer {ready.peer_id}")
    for addr in ready.addrs:
        click.echo(f"listening on {addr}")
    click.echo(f"API at {ready.api}")
    click.echo("ready; Ctrl-C ends the node")
