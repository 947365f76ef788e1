"""Marking: which blocks the roots of a collection reach. Pure: asks for the nodes it needs, and is handed their bytes.

The chunks of files need no marks, because the catalogue says of any block at once whether a file is made of it. What
is marked is what only links name: the nodes of DAGs and what lies below pins. Each node is read once however many
links lead to it, so a DAG that is small on the disk is small here, whatever tree it unfolds to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chiral.block.cid import CID
from chiral.errors import IntegrityError
from chiral.pinning.digest_set import DigestSet
from chiral.pinning.links import Block, links_of, may_link


@dataclass(slots=True)
class Marking:
    """Marks in the making. `nodes` were read, `absent` were not here; the frontier is what is still to be read."""

    marks: DigestSet = field(default_factory=DigestSet)
    nodes: int = 0
    absent: int = 0
    _seen: DigestSet = field(default_factory=DigestSet)
    """Nodes that are or were in the frontier: a block may be marked by a link that does not say it has links itself."""
    _frontier: list[tuple[CID, bool]] = field(default_factory=list)

    def root(self, cid: CID, *, below: bool, whole: bool = False) -> None:
        """Keep `cid` and, with `below`, everything that it leads to.

        `whole`: all of that must be here, and marking ends with an error where it is not.
        """
        self.marks.add(cid.multihash)
        if below:
            self._await(cid, whole)

    @property
    def done(self) -> bool:
        """Whether nothing is left to be read."""
        return not self._frontier

    def take(self, limit: int) -> list[tuple[CID, bool]]:
        """Up to `limit` nodes to read next, each to be given to `read`; with each whether it must be here."""
        taken = self._frontier[-limit:]
        del self._frontier[-limit:]
        return taken

    def read(self, cid: CID, block: Block | None, *, whole: bool) -> None:
        """Follow the links of a node that `take` gave; `block` is None if it is not here.

        Raises `IntegrityError` where it must be and is not, and wherever it is damaged: what it led to cannot be told
        from what nobody needs.
        """
        if block is None:
            if whole:
                raise IntegrityError(
                    f"{cid} is kept by a pin and not here, so what lies below it cannot be told from garbage",
                    hint="fetch it again with 'chiral pin add' of the same CID, or give the pin up",
                )
            self.absent += 1
            return
        if not cid.matches(block):
            raise IntegrityError(
                f"block {cid} is damaged in the store, so what lies below it cannot be told from garbage",
                hint="'chiral verify' fetches damaged blocks again",
            )
        self.nodes += 1
        for link in links_of(cid, block):
            self.marks.add(link.multihash)
            self._await(link, whole)

    def _await(self, cid: CID, whole: bool) -> None:
        if may_link(cid) and self._seen.add(cid.multihash):
            self._frontier.append((cid, whole))
