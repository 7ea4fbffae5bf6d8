"""Fixture for runs on this machine."""

from pathlib import Path

import pytest

from submit.validation import ValidatedStudy
from tests.submit.local.fake_python import FakePythonRun


@pytest.fixture
def prepared(validated: ValidatedStudy, tmp_path: Path) -> FakePythonRun:
    """Two models under two attacks, with a run folder; no pair has run."""
    return FakePythonRun.create(validated, tmp_path)
