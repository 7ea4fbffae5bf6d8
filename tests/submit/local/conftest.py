"""Fixture for runs on this machine."""

from pathlib import Path

import pytest

from submit.validation import ValidatedStudy
from tests.submit.local.stand_in import StandInRun


@pytest.fixture
def prepared(validated: ValidatedStudy, tmp_path: Path) -> StandInRun:
    """Two models under two attacks, with a run folder; no pair has run."""
    return StandInRun.create(validated, tmp_path)
