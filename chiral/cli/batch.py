"""Adding many local files with few requests: what each came to is told in the order they were given."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chiral.cli.client import Client
from chiral.cli.faults import broken_answer, error_of
from chiral.cli.progress import FilesProgress
from chiral.errors import ChiralError

MAX_FILES = 1000
"""In one request; the node takes no more."""
_MAX_REQUEST_BYTES = 768 << 10
"""Of the files' JSON in one request; the node takes a mebibyte."""

Tell = Callable[[Any], None]
"""Called with what a file came to: the API's answer, or a `ChiralError`."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that the user may read: its absolute path, the name to add it under, and its size in bytes."""

    path: str
    name: str
    size: int


Found = LocalFile | ChiralError
"""A file to add, or why it cannot be."""


class BatchAdder:
    """Adds files through `client`, which must be local, in the way `how` says. What fails stops nothing else."""

    def __init__(
        self, client: Client, tell: Tell, progress: FilesProgress, how: Mapping[str, Any] | None = None
    ) -> None:
        self._client = client
        self._how = dict(how or {})
        self._tell = tell
        self._progress = progress
        self._done_files = 0
        self._done_bytes = 0

    def add(self, found: Sequence[Found]) -> None:
        """Add the files of `found` and tell of each in order, and of the errors where they stand."""
        for part in _requests(found):
            self._add_part(part)
            self._done_bytes += _size(part)

    def _add_part(self, part: list[Found]) -> None:
        waiting = deque(part)
        files = [file for file in part if isinstance(file, LocalFile)]

        def settle(outcome: Any) -> None:
            waiting.popleft()
            self._settle(outcome)
            while waiting and isinstance(waiting[0], ChiralError):
                self._settle(waiting.popleft())

        def item(value: Any) -> None:
            settle(value["added"] if value["error"] is None else error_of(value["error"]))

        while waiting and isinstance(waiting[0], ChiralError):
            self._settle(waiting.popleft())
        if not files:
            return
        body = {**self._how, "items": [_asked(file) for file in files]}
        try:
            self._client.lines("POST", "/files/batch", body=body, item=item, progress=self._show)
            if waiting:
                raise broken_answer()
        except ChiralError as error:
            while waiting:
                settle(error)

    def _settle(self, outcome: Any) -> None:
        self._done_files += 1
        self._tell(outcome)

    def _show(self, done: int, total: int | None) -> None:
        self._progress(self._done_files, self._done_bytes + done)


def _requests(found: Sequence[Found]) -> Iterator[list[Found]]:
    """`found` in parts that fit one request each."""
    part: list[Found] = []
    size = 0
    for file in found:
        asked = len(json.dumps(_asked(file))) + 2 if isinstance(file, LocalFile) else 0
        if part and (len(part) == MAX_FILES or size + asked > _MAX_REQUEST_BYTES):
            yield part
            part, size = [], 0
        part.append(file)
        size += asked
    if part:
        yield part


def _asked(file: LocalFile) -> dict[str, str]:
    return {"path": file.path, "name": file.name}


def _size(found: Sequence[Found]) -> int:
    return sum(file.size for file in found if isinstance(file, LocalFile))
