"""What the catalogue says of a file that is added or fetched again: it stays one file and loses nothing said of it."""

from __future__ import annotations

from dataclasses import replace

from chiral.interface.catalogue import FileRecord

MAX_OTHER_NAMES = 16


def joined(known: FileRecord, again: FileRecord) -> FileRecord:
    """`known` with what `again`, of the same root, adds.

    Name and times stay those of the first time; another name is kept beside it, the first sixteen of them. It lives as
    long as the longer of both was to, and for ever if one was.
    """
    return replace(
        known,
        dag_root=again.dag_root or known.dag_root,
        mime=known.mime or again.mime,
        tags=tuple(sorted({*known.tags, *again.tags})),
        expires_at=later(known.expires_at, again.expires_at),
        other_names=_other_names(known, again),
    )


def later(one: int | None, other: int | None) -> int | None:
    """The later of two times of expiry; None is never."""
    return None if one is None or other is None else max(one, other)


def _other_names(known: FileRecord, again: FileRecord) -> tuple[str, ...]:
    names = dict.fromkeys((*known.other_names, again.name, *again.other_names))
    names.pop(known.name, None)
    return tuple(names)[:MAX_OTHER_NAMES]
