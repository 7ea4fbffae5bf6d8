"""Fixtures of the analysis tests."""

from functools import partial
from pathlib import Path

import pytest

from aggregate.report.report import ReportInputs
from tests.aggregate import paper_study
from tests.aggregate.synthetic_run import MakeRun, write_run


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return a function that writes a run into the test's folder; it takes the arguments of `write_run` but
    `root`."""
    return partial(write_run, tmp_path / "run")


@pytest.fixture(scope="session")
def paper_inputs(tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    """Return the inputs of a report on 144 models and 105 benchmarks."""
    return paper_study.make_inputs(paper_study.write_study(tmp_path_factory.mktemp("paper") / "run"))
