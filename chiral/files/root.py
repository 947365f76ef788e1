"""From a CID to what it names: a file's FileInfo, or a single block."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chiral.dag.file_info import FileInfo
from chiral.transfer.finder import Candidate


@dataclass(frozen=True, slots=True)
class Root:
    """What a CID named: `info` with its JSON as `manifest`, or the verified `data` of one block.

    `candidates` may have its blocks, best first. `local`: it was found here.
    """

    info: FileInfo | None
    manifest: bytes = b""
    data: bytes = b""
    candidates: tuple[Candidate, ...] = ()
    local: bool = False

    def with_candidates(self, candidates: tuple[Candidate, ...]) -> Root:
        return replace(self, candidates=candidates)
