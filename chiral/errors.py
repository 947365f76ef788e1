"""The families of errors: every fault Chiral raises on purpose derives from `ChiralError`.

A fault belongs to exactly one family, because what follows depends on it: a remote fault counts against the peer and
the next provider is tried; a local fault never does. Each error carries a stable `code` for machines, a message of one
line and, where something can be done about it, a `hint` that says what.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class ChiralError(Exception):
    """The root of all families.

    `code` is stable and fit for machines; `exit_code` is what the command line ends with (0 done, 1 failed, 2 usage,
    3 not found, 4 integrity, 5 no node running).
    """

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(ChiralError):
    """What the user gave cannot be used: a malformed CID, address, option or configuration."""

    code = "usage"
    exit_code = 2


class InvalidCidError(UsageError):
    """Text or bytes that are not a CID, or one of a version, codec or hash that is not supported."""

    code = "invalid_cid"


class InvalidAddressError(UsageError):
    """Text or bytes that are not a multiaddr or peer id that can be used here."""

    code = "invalid_address"


class ConfigError(UsageError):
    """A configuration value that cannot be used; the message names the key."""

    code = "invalid_config"


class TooLargeError(UsageError):
    """What was given is over a limit; the message names it."""

    code = "too_large"


class UploadCutError(UsageError):
    """The client went away, or fell silent, before its upload was whole; nothing of it is kept."""

    code = "upload_cut"


class PinnedError(UsageError):
    """What is pinned is not removed; the message names the pin."""

    code = "pinned"


class CollectionBusyError(UsageError):
    """One collection goes on at a time, and one does."""

    code = "collection_busy"


class ForbiddenError(ChiralError):
    """Not done for this caller, or not with this path."""

    code = "forbidden"


class NotFoundError(ChiralError):
    """What was asked for is not here and nobody who was asked has it."""

    code = "not_found"
    exit_code = 3


class NoProvidersError(NotFoundError):
    """The routing found nobody who claims to have the content."""

    code = "no_providers"


class IntegrityError(ChiralError):
    """Bytes that are not what their name says, found in the local store or in a finished result."""

    code = "integrity"
    exit_code = 4


class MalformedContentError(ChiralError):
    """Bytes that are what their CID names, but not the file, directory or archive they are to be read as."""

    code = "malformed"
    exit_code = 4


class NodeNotRunningError(ChiralError):
    """A client command found no node behind its data directory or URL."""

    code = "no_node"
    exit_code = 5


class RemoteError(ChiralError):
    """The other side's doing: counts against that peer, never against this node."""

    code = "remote"


class PeerUnreachableError(RemoteError):
    """No address of the peer could be dialled."""

    code = "unreachable"


class StreamResetError(RemoteError):
    """The stream was reset, or its connection died, before it ended cleanly: what was read is not whole."""

    code = "stream_reset"


class RequestTimeoutError(RemoteError):
    """The peer did not answer within the deadline."""

    code = "timeout"


class ProtocolError(RemoteError):
    """The peer sent bytes that the protocol does not allow."""

    code = "protocol"


class UnsupportedProtocolError(RemoteError):
    """The peer speaks none of the protocols offered to it."""

    code = "unsupported_protocol"


class LimitExceededError(RemoteError):
    """The peer asked for, or sent, more than a limit allows; the message names the limit."""

    code = "limit"


class PeerLiedError(RemoteError):
    """The peer answered with bytes other than the CID names."""

    code = "lied"


class LocalError(ChiralError):
    """This machine's doing: disk, permissions, ports. Never counts against a peer."""

    code = "local"


class StoreError(LocalError):
    """The store could not do what was asked; nothing acknowledged before is lost."""

    code = "store"


class StoreFullError(StoreError):
    """No space left, on the disk or in the map; nothing acknowledged before is lost."""

    code = "store_full"


class StoreLockedError(StoreError):
    """The data directory is in use by another node."""

    code = "store_locked"


class ListenError(LocalError):
    """An address could not be listened on; the message names it."""

    code = "listen"


class FileAccessError(LocalError):
    """A local file or directory could not be read or written; the message names it."""

    code = "file_access"


@contextmanager
def sole_error() -> Iterator[None]:
    """Let a nursery's block raise as plain code does: where one fault comes out wrapped in groups, it is raised bare.

    Several faults at once stay a group, unless a `ChiralError` is among them: the first of those tells what happened.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        faults = list(_leaves(group))
        told = [fault for fault in faults if isinstance(fault, ChiralError)]
        if told or len(faults) == 1:
            fault = (told or faults)[0]
            raise fault from fault.__cause__
        raise


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for fault in group.exceptions:
        if isinstance(fault, BaseExceptionGroup):
            yield from _leaves(fault)
        else:
            yield fault
