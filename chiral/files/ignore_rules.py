"""Which entries of a local directory are left out: patterns as in a `.gitignore`, of the caller and in the tree itself.

What a pattern matches is the library's (`pathspec`); here is only which of several sets of patterns has the last word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from chiral.errors import UsageError

IGNORE_FILE = ".chiralignore"
MAX_IGNORE_FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """`own` are the caller's patterns and decide before those `found` in the tree, each with the depth it was found at.

    Of these the deeper ones decide before those above them.
    """

    own: GitIgnoreSpec
    found: tuple[tuple[int, GitIgnoreSpec], ...] = ()

    @classmethod
    def of(cls, patterns: Iterable[str]) -> IgnoreRules:
        """The caller's. Raises `UsageError` for what is no pattern."""
        return cls(_spec(patterns, "--ignore"))

    def below(self, parts: tuple[str, ...], text: str, source: str) -> IgnoreRules:
        """These and the patterns in `text`, found in the directory `parts`. Raises `UsageError` that names `source`."""
        return IgnoreRules(self.own, (*self.found, (len(parts), _spec(text.splitlines(), source))))

    def ignores(self, parts: tuple[str, ...], *, is_directory: bool) -> bool:
        """Whether the entry at `parts`, from the directory added on, is left out; of a directory all that is in it."""
        end = "/" if is_directory else ""
        for depth, spec in ((0, self.own), *reversed(self.found)):
            if len(spec):
                verdict = spec.check_file("/".join(parts[depth:]) + end).include
                if verdict is not None:
                    return verdict
        return False


def _spec(patterns: Iterable[str], source: str) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise UsageError(f"{source}: {error}", hint="patterns are written as in a .gitignore") from error
