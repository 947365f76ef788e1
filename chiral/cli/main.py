"""The `chiral` command: its groups, and how every fault ends as one line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from chiral import __version__
from chiral.cli.lazy import LazyGroup
from chiral.cli.options import Common
from chiral.cli.printing import note
from chiral.errors import ChiralError

INTERRUPTED = 130
_AT = "chiral.cli.commands."
COMMANDS = {
    "run": (_AT + "run", "Run a node."),
    "add": (_AT + "add", "Add files and print their CIDs."),
    "get": (_AT + "get", "Fetch a file and save it."),
    "cat": (_AT + "cat", "Write a file's bytes to stdout."),
    "ls": (_AT + "ls", "List the files held here, or the blocks of one."),
    "rm": (_AT + "rm", "Forget files and the blocks only they use."),
    "pin": (_AT + "pin", "Keep content whatever else is removed."),
    "gc": (_AT + "gc", "Remove the blocks that neither a file nor a pin keeps."),
    "clean": (_AT + "clean", "Remove what nothing keeps, or all that is not pinned."),
    "search": (_AT + "search", "Find what is held here by name, type, tag, size and time."),
    "view": (_AT + "view", "Show what is known of a file and check its blocks."),
    "tag": (_AT + "tag", "Give files tags and take them away."),
    "expire": (_AT + "expire", "Say how long a file is kept."),
    "versions": (_AT + "versions", "List the versions of a name."),
    "diff": (_AT + "diff", "Tell how two files or versions differ."),
    "delta": (_AT + "delta", "Make and apply deltas between files."),
    "id": (_AT + "id", "Show who this node is and where it listens."),
    "peers": (_AT + "peers", "List the peers this node is connected to."),
    "connect": (_AT + "connect", "Connect to a peer."),
    "dht": (_AT + "dht", "Find and announce content in the DHT."),
    "block": (_AT + "block", "Get, put and look at single blocks."),
    "dag": (_AT + "dag", "Export and import archives, look into DAGs."),
    "stats": (_AT + "stats", "Show what the node holds and has moved."),
    "verify": (_AT + "verify", "Check every block held here against its CID."),
    "compact": (_AT + "compact", "Give the disk back what the store no longer needs."),
    "config": (_AT + "config", "Show the configuration."),
    "shutdown": (_AT + "shutdown", "End the running node."),
}


@click.group(cls=LazyGroup, commands_at=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chiral", message="%(prog)s %(version)s")
@click.option(
    "--data", metavar="DIR", type=click.Path(), help="The node's data directory (default $CHIRAL_DATA, else ~/.chiral)."
)
@click.option("--debug", is_flag=True, help="Show where in the program a fault arose.")
@click.pass_context
def cli(context: click.Context, data: str | None, debug: bool) -> None:
    """Content-addressed files between Python, Rust and Go libp2p peers.

    Start a node with 'chiral run'; the other commands speak to it.
    """
    common = context.ensure_object(Common)
    common.data = data
    common.debug = common.debug or debug


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and end the process."""
    code = run(args)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader went away: nothing is left to be flushed at exit
        code = code or 1
    sys.exit(code)


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line; returns 0 done, 1 failed, 2 usage, 3 not found, 4 integrity, 5 no node, 130 interrupted."""
    common = Common()
    try:
        result = cli.main(args, prog_name="chiral", standalone_mode=False, obj=common)
        return result if isinstance(result, int) else 0
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        return _report(error.format_message(), _usage_hint(error), error.exit_code, common)
    except ChiralError as error:
        return _report(error.message, error.hint, error.exit_code, common)
    except BrokenPipeError:
        raise
    except Exception as error:
        return _report(f"{type(error).__name__}: {error}", "this is a fault of chiral; --debug shows where", 1, common)


def _usage_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"see '{context.command_path} --help'" if context is not None else ""


def _report(message: str, hint: str, code: int, common: Common) -> int:
    """One line on stderr; with `--debug` the traceback before it."""
    if common.debug:
        import traceback

        traceback.print_exc()
    line = f"error: {message} ({hint})" if hint else f"error: {message}"
    note(" ".join(line.split()))
    return code
