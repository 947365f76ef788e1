"""How content is added, as requests say it: cutting, the DAG's profile, what of a directory is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from chiral.api.local_path import identities_in
from chiral.chunker.registry import DEFAULT_CHUNKER
from chiral.files.add_options import DEFAULT_PROFILE_NAME, AddOptions, TreeOptions

MAX_PATH = 4096
MAX_NAME = 1024
MAX_PATTERNS = 10_000
_MAX_PATTERN = 4096
_MAX_WORD = 80
Pattern = Annotated[str, Field(max_length=_MAX_PATTERN)]


class Adding(BaseModel):
    """Options of the DAG over what is added; the Chiral root is over the chunks alone, whatever they are.

    Without raw leaves every chunk is there twice, as such and in a node. With `only_hash` nothing is stored.
    """

    model_config = ConfigDict(extra="forbid")

    chunker: str = Field(DEFAULT_CHUNKER, max_length=_MAX_WORD, examples=["size-262144", "adaptive", "cdc"])
    profile: str = Field(DEFAULT_PROFILE_NAME, max_length=_MAX_WORD)
    cid_version: int | None = Field(None, ge=0, le=1)
    raw_leaves: bool | None = None
    trickle: bool = False
    mode: bool = Field(False, description="keep the permissions")
    mtime: bool = Field(False, description="keep the time of the last change")
    only_hash: bool = False

    def options(self) -> AddOptions:
        """Raises `UsageError` for names that are none."""
        return AddOptions.named(
            profile=self.profile,
            chunker=self.chunker,
            cid_version=self.cid_version,
            raw_leaves=self.raw_leaves,
            trickle=self.trickle,
            mode=self.mode,
            mtime=self.mtime,
            only_hash=self.only_hash,
        )


class AddUpload(Adding):
    """How the body of a request is added, and under which name."""

    name: str = Field(min_length=1, max_length=MAX_NAME)


class LocalItem(BaseModel):
    """A local path to add; `name` instead of the path's own."""

    path: str = Field(max_length=MAX_PATH)
    name: str | None = Field(None, max_length=MAX_NAME)

    def shown_name(self) -> str:
        """The name to add it under."""
        return self.name or self.path.rstrip("/").rpartition("/")[2]


class AddPath(Adding, LocalItem):
    """A local file to add."""


class AddTree(Adding, LocalItem):
    """A local directory to add, or with `wrap` anything.

    `ignore` has patterns as in a `.gitignore`; those in files named `.chiralignore` count too. Symbolic links are kept
    as such unless `dereference`.
    """

    hidden: bool = False
    ignore: list[Pattern] = Field(default=[], max_length=MAX_PATTERNS)
    dereference: bool = False
    wrap: bool = False

    def tree_options(self, data_dir: Path) -> TreeOptions:
        """Raises `UsageError`. Nothing of `data_dir` is added. Blocks."""
        barred = identities_in(data_dir)
        return TreeOptions(
            self.options(),
            hidden=self.hidden,
            ignore=tuple(self.ignore),
            dereference=self.dereference,
            wrap=self.wrap,
            barred=lambda device, inode: (device, inode) in barred,
        )
