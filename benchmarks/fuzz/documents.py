"""Inputs from a grammar, made by hypothesis: valid documents in which some values are replaced by odd ones."""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

MOST_CHANGES = 4
_DELETE = object()
ODD_VALUES = st.one_of(
    st.just(_DELETE),
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**40]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", " ", "..", "/", "a/b", "~", "1/0", "1/255", "-1", "1e400", "\x00", "\u202e", "\x1b[0m", "x" * 5000]
    ),
    st.recursive(st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3), max_leaves=6),
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=3), max_size=3),
)
"""Values of another type, at the edge of a type, or of no meaning."""
ODD_CELLS = st.one_of(
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        [
            "",
            " ",
            "X",
            "nan",
            "1e9999999",
            "-0",
            "0.4%",
            "101%",
            "1/0",
            "=1+1",
            "@x",
            "8/255",
            "0x1p3",
            "١",
            '"',
            "\0",
            "a,b",
        ]
    ),
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON value
    """Yield the path to each value of a tree, the innermost first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))
    if path:
        yield path


@st.composite
def edited_trees(draw: st.DrawFn, base: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a tree with a few values replaced, deleted or added."""
    tree = deepcopy(base)
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        if not (paths := list(_paths(tree))):
            break
        *above, last = draw(st.sampled_from(paths))
        place = tree
        for key in above:
            place = place[key]
        value = draw(ODD_VALUES)
        if isinstance(place, dict) and draw(st.integers(0, 9)) == 0:
            last = draw(st.text(max_size=8))
        if value is not _DELETE:
            place[last] = value
        elif isinstance(place, list) or last in place:
            del place[last]
    return tree


def json_documents(base: Any) -> SearchStrategy[bytes]:  # noqa: ANN401 - any JSON value
    """Return JSON texts that resemble a valid one."""
    return edited_trees(base).map(lambda tree: json.dumps(tree).encode())


def toml_documents(base: dict[str, Any]) -> SearchStrategy[bytes]:
    """Return TOML texts that resemble a valid one."""
    return edited_trees(base).map(lambda tree: to_toml(tree).encode(errors="surrogatepass"))


def to_toml(tables: dict[str, Any]) -> str:
    """Return tables as TOML, in which every inner table is written inline."""
    return "".join(f"{json.dumps(str(key))} = {_toml_value(value)}\n" for key, value in tables.items())


def _toml_value(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(str(key))} = {_toml_value(inner)}" for key, inner in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(inner) for inner in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # JSON's escapes are TOML's, and TOML has no null.
    return '"none"' if value is None else json.dumps(value)


@st.composite
def csv_documents(draw: st.DrawFn, rows: Sequence[Sequence[str]]) -> bytes:
    """Return CSV texts with a few odd cells, and rows of another length."""
    table = [list(row) for row in rows]
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        row = draw(st.sampled_from(table))
        column = draw(st.integers(0, max(0, len(row) - 1)))
        if draw(st.integers(0, 7)) == 0:
            row.insert(column, draw(ODD_CELLS))
        elif row and draw(st.integers(0, 7)) == 0:
            del row[column]
        elif row:
            row[column] = draw(ODD_CELLS)
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table)
    return text.getvalue().encode(errors="surrogatepass")


@st.composite
def setting_documents(draw: st.DrawFn, keys: Sequence[str]) -> bytes:
    """Return `.env` texts with odd values of known and unknown keys."""
    chosen = draw(st.lists(st.sampled_from(keys) | st.text(max_size=6), max_size=6))
    values = st.one_of(
        ODD_CELLS,
        st.sampled_from(["true", "1", "osdf:///a", "docker://a", "$ENV(STAGING)/x", "(((", "A && (B == 1)"]),
    )
    return "".join(f"{key}={draw(values)}\n" for key in chosen).encode(errors="surrogatepass")
