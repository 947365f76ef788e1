"""How files are added: how they are cut, what their DAG is made like, what of a directory is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, cast

from chiral.chunker.fixed import FixedChunker
from chiral.chunker.registry import DEFAULT_CHUNKER, parse_chunker
from chiral.chunker.splitter import Chunker
from chiral.dag.dag_profile import DEFAULT_PROFILE, PROFILES, DagProfile
from chiral.errors import UsageError

DEFAULT_PROFILE_NAME = "unixfs-v1"
_PROFILE_CHUNK_BYTES = {"unixfs-v1-2025": 1 << 20}
"""Of the profiles whose chunks are not those of the default chunker."""


@dataclass(frozen=True, slots=True)
class AddOptions:
    """`chunker` None: the node's own. `mode` and `mtime`: those of the file are told in its DAG.

    With `only_hash` nothing is stored, catalogued or announced.
    """

    chunker: Chunker | None = None
    profile: DagProfile = DEFAULT_PROFILE
    mode: bool = False
    mtime: bool = False
    only_hash: bool = False

    @classmethod
    def named(
        cls,
        *,
        profile: str = DEFAULT_PROFILE_NAME,
        chunker: str = DEFAULT_CHUNKER,
        cid_version: int | None = None,
        raw_leaves: bool | None = None,
        trickle: bool = False,
        mode: bool = False,
        mtime: bool = False,
        only_hash: bool = False,
    ) -> AddOptions:
        """The options as people give them, by the names of profiles and chunkers. Raises `UsageError`.

        As with Kubo, a version of the CIDs that is given decides about raw leaves unless that is given too.
        """
        return cls(
            _chunker(profile, chunker), _profile(profile, cid_version, raw_leaves, trickle), mode, mtime, only_hash
        )


DEFAULT_OPTIONS = AddOptions()


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """What of a local directory is taken.

    `ignore`: patterns as in a `.gitignore`, from the directory added on. `wrap`: a directory is put around what is
    added. `barred` says which files, by device and inode, may not be read.
    """

    adding: AddOptions = DEFAULT_OPTIONS
    hidden: bool = False
    ignore: tuple[str, ...] = ()
    dereference: bool = False
    wrap: bool = False
    barred: Callable[[int, int], bool] = lambda device, inode: False


def _chunker(profile: str, name: str) -> Chunker | None:
    if name != DEFAULT_CHUNKER:
        return parse_chunker(name)
    size = _PROFILE_CHUNK_BYTES.get(profile)
    return None if size is None else FixedChunker(size)


def _profile(name: str, cid_version: int | None, raw_leaves: bool | None, trickle: bool) -> DagProfile:
    if name not in PROFILES:
        raise UsageError(f"{name[:80]!r} is no profile", hint=f"{', '.join(PROFILES)} are")
    made = PROFILES[name]
    if cid_version is not None:
        if cid_version not in (0, 1):
            raise UsageError(f"there is no CID version {cid_version}", hint="0 and 1 are")
        made = replace(made, cid_version=cast("Literal[0, 1]", cid_version), raw_leaves=cid_version == 1)
    if raw_leaves is not None:
        made = replace(made, raw_leaves=raw_leaves)
    return replace(made, layout="trickle") if trickle else made
