"""Run tables: data frames of a run, read without torch."""

import subprocess
import sys

import pandas as pd
import pytest

import alignsec
from alignsec.errors import ConfigErrors
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from tests import tiny
from tests.paths import CHECKOUT


@pytest.fixture
def run(tmp_path):
    """A run with one record, one failure and an analysis."""
    folder = RunFolder(tmp_path / "runs" / "x")
    folder.outcomes.mkdir(parents=True)
    folder.analysis.mkdir()
    folder.plan.write_text("{}")
    pairs = [tiny.pair(), tiny.pair(name="other")]
    for outcome in (tiny.record(pairs[0]), tiny.failure(pairs[1])):
        outcome_file.write(folder.outcome(outcome.id), outcome)
    (folder.analysis / "table.csv").write_text("model,robust\ntiny,2\n")
    return folder


def test_verdicts_have_one_row_per_level_and_image(run):
    verdicts = alignsec.open_run(run.root).verdicts
    assert list(verdicts["level"]) == ["1/255"] * 4 + ["8/255"] * 4
    assert "".join(verdicts["verdict"]) == "RRcWRstW"
    assert list(verdicts["robust"]) == [True, True, False, False, True, False, False, False]
    assert list(verdicts["image"][:2]) == ["0.png", "1.png"]
    assert set(verdicts["model"]) == {"tiny"}


def test_a_run_without_outcomes_has_no_verdicts(run):
    for path in run.outcomes.iterdir():
        path.unlink()
    verdicts = alignsec.open_run(run.root).verdicts
    assert verdicts.empty
    assert list(verdicts.columns)[-1] == "robust"


def test_the_tables_of_the_analysis(run):
    tables = alignsec.open_run(str(run.root))
    assert tables.table.equals(pd.DataFrame({"model": ["tiny"], "robust": [2]}))
    with pytest.raises(ConfigErrors, match=r"correlations.csv: not found; .* make aggregate RUN="):
        tables.correlations  # noqa: B018 - the access is the test


def test_a_damaged_outcome_is_an_error(run):
    path = next(run.outcomes.iterdir())
    path.write_bytes(path.read_bytes().replace(b"tiny", b"tidy"))
    with pytest.raises(ConfigErrors, match=r"json: was changed after it was written.*; remove it, or fetch"):
        alignsec.open_run(run.root).records()


def test_a_folder_that_is_no_run_is_an_error(tmp_path):
    with pytest.raises(ConfigErrors, match=r"is not a run folder: it has no plan\.json"):
        alignsec.open_run(tmp_path)


def test_opening_a_run_loads_no_torch(run):
    program = "import sys, alignsec; alignsec.open_run(sys.argv[1]).verdicts; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(run.root)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "pandas" in done.stdout.split()
    assert "torch" not in done.stdout.split()
