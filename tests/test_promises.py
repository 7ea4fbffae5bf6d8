"""docs/promises.md: each promise names tests that exist."""

import ast
import re

from tests.paths import CHECKOUT

PAGE = (CHECKOUT / "docs/promises.md").read_text(encoding="utf-8")
ROWS = [
    line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| ") and "kept by" not in line
]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_each_promise_names_a_test():
    assert ROWS
    assert not [row for row in ROWS if len(row) != 2 or not TEST.findall(row[1])]


def test_each_named_test_exists():
    """The right column has nothing but tests."""
    for _, tests in ROWS:
        assert not TEST.sub("", tests).strip(" ,"), tests
        for file, name in TEST.findall(tests):
            path = CHECKOUT / file
            assert path.exists(), file
            functions = {
                node.name
                for node in ast.parse(path.read_text(encoding="utf-8")).body
                if isinstance(node, ast.FunctionDef)
            }
            assert name in functions, f"{file}::{name}"


def test_the_page_says_what_is_not_promised():
    assert "## Not promised" in PAGE
    assert "sealed, not signed" in PAGE
