"""Which of several sets of patterns has the last word."""

from __future__ import annotations

import pytest

from chiral.files.ignore_rules import IgnoreRules


def ignored(rules: IgnoreRules, path: str) -> bool:
    return rules.ignores(tuple(path.rstrip("/").split("/")), is_directory=path.endswith("/"))


@pytest.mark.parametrize(
    ("pattern", "hit", "missed"),
    [
        ("*.o", ["a.o", "d/a.o"], ["a.c", "o"]),
        ("/a", ["a", "a/"], ["d/a"]),
        ("build/", ["build/", "d/build/"], ["build"]),
        ("d/*.o", ["d/a.o"], ["a.o", "d/e/a.o"]),
        ("**/x/y", ["x/y", "a/b/x/y"], ["y"]),
        ("# no", [], ["# no"]),
        ("", [], ["a"]),
    ],
)
def test_patterns_of_the_caller(pattern: str, hit: list[str], missed: list[str]) -> None:
    rules = IgnoreRules.of([pattern])
    assert [ignored(rules, path) for path in hit] == [True] * len(hit)
    assert [ignored(rules, path) for path in missed] == [False] * len(missed)


def test_deeper_rules_go_before_those_above_and_the_callers_before_all() -> None:
    rules = IgnoreRules.of(["!kept.o"]).below((), "*.o\n*.tmp\n", "top")
    deeper = rules.below(("d",), "!special.o\n/only-here\n", "deep")
    assert ignored(rules, "special.o")
    assert not ignored(rules, "kept.o")
    assert not ignored(deeper, "d/special.o")
    assert ignored(deeper, "d/other.o")
    assert ignored(deeper, "d/only-here")
    assert not ignored(deeper, "d/e/only-here")
    assert not ignored(deeper, "d/kept.o")
