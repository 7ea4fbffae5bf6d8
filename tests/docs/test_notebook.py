"""The notebook docs/notebook.ipynb runs, and gives the outputs that it shows.

The cells run in this process, so no notebook server is needed. Outputs of the network that the notebook trains can
differ between processors, so only cells with the tag "exact" must repeat their outputs.
"""

import ast
import json
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest

from tests.paths import CHECKOUT

NOTEBOOK = CHECKOUT / "docs" / "notebook.ipynb"
CELLS = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def run_cell(source: str, names: dict[str, Any]) -> object:
    """Run the statements of a cell and return the value of its last expression; None if it has none."""
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), NOTEBOOK.name, "exec"), names)  # noqa: S102 - the repository's own notebook
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names)  # noqa: S307 - see above


def shown_text(cell: dict[str, Any]) -> str:
    """Return the text of the cell's result as the notebook stores it."""
    results = [one["data"] for one in cell["outputs"] if one["output_type"] == "execute_result"]
    return "".join(results[0]["text/plain"]) if results else ""


def test_the_notebook_runs_and_repeats_its_outputs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(NOTEBOOK.parent)
    names: dict[str, Any] = {}
    # The options of a notebook, so that a data frame has the text that the notebook shows.
    shown = pd.option_context("display.max_columns", 20, "display.width", 80)
    with mpl.rc_context({"backend": "agg"}), shown:
        for cell in CELLS:
            value = run_cell("".join(cell["source"]), names)
            if "exact" in cell["metadata"].get("tags", ()):
                assert repr(value).split() == shown_text(cell).split()
    verdicts = names["attack"].verdicts
    assert len(verdicts) == 20
    assert verdicts.count("W") < 10
    accuracies = list(names["record"].robust_accuracy.values())
    assert accuracies == sorted(accuracies, reverse=True)


def test_the_notebook_stores_outputs_without_errors():
    """Every cell was run in order, the drawing is stored as an image, and the file is small."""
    assert [cell["execution_count"] for cell in CELLS] == list(range(1, len(CELLS) + 1))
    outputs = [output for cell in CELLS for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] in {"error", "stream"}]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 1
    assert NOTEBOOK.stat().st_size < 100_000
