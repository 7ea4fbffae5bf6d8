"""Audits by precision: the share is chosen at the submission, kept afterwards, and recorded in the plan."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
from alignsec.spec.audit import Audit
from submit import layout, validation
from submit.audits import describe_audit, resolve_audits
from submit.validation import ValidatedStudy
from tests import tiny

StudyFile = Callable[..., Path]
ATTACK = """
[[attacks]]
method = "clean"
[[attacks]]
method = "autoattack"
norm = "Linf"
eps = ["1/255"]
audit = {{ {} }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run folder that does not exist yet."""
    return RunFolder(tmp_path / "runs" / "tiny")


def validated(study_file: StudyFile, audit: str) -> ValidatedStudy:
    path = study_file("a", attacks=ATTACK.format(audit))
    return validation.validate(path, path.parent / "hub")


def test_the_share_is_resolved_and_the_pair_is_that_of_the_share(study_file: StudyFile, folder: RunFolder):
    """Expect the pair id of `share`, the record in the plan, and a line that states the assumptions."""
    resolved = resolve_audits(validated(study_file, 'precision = "0.49"'), folder)
    plan = layout.write_run_folder(resolved, folder)
    (planned,) = plan.audits
    assert (planned.attack, planned.precision, planned.images) == ("autoattack-Linf", "0.49", 4)
    assert Plan.read(folder).audits == plan.audits
    assert "assumed: half of the images survive" in describe_audit(planned)
    given = resolve_audits(validated(study_file, f'share = "{planned.share}"'), folder)
    assert given.audits == ()
    again = layout.write_run_folder(given, folder)
    assert [pair.id for pair in again] == [pair.id for pair in plan]


def test_a_precision_beyond_the_images_names_the_smallest_and_the_images(study_file: StudyFile, folder: RunFolder):
    with pytest.raises(ConfigErrors) as caught:
        resolve_audits(validated(study_file, 'precision = "0.01"'), folder)
    (error,) = caught.value.errors
    assert str(error).endswith(
        'tiny.toml: attacks[1].audit.precision: "0.01" cannot be reached with 4 images; '
        "give 0.2498 or more, or at least 2,496 images"
    )


@pytest.mark.parametrize(
    ("audit", "remedy"),
    [
        ('share = "0.1", precision = "0.1"', "has share and precision, which are alternatives"),
        ("targets = 1", 'has neither share nor precision; add share = "0.05"'),
        ('precision = "0"', 'must be "study", or a standard error above 0 and below 0.5'),
        ('precision = "0.5"', "below 0.5"),
        ('precision = "fine"', 'must be "study"'),
        ("precision = 0.01", "is not text; put it in quotes"),
    ],
)
def test_wrong_requests_are_errors_of_the_study_file(study_file: StudyFile, audit: str, remedy: str):
    with pytest.raises(ConfigErrors) as caught:
        validated(study_file, audit)
    assert remedy in str(caught.value)


def _write_outcome(folder: RunFolder, plan: Plan, broken: str) -> None:
    (pair,) = (pair for pair in plan if pair.attack.audit)
    record = tiny.record(pair, [f"RRR{broken}"])
    budget = record.budgets[0].model_copy(update={"audit": "aabb"})
    outcome_file.write(folder.outcome(pair.id), record.model_copy(update={"budgets": [budget]}))


def test_outcomes_replace_the_assumptions_for_a_new_request_only(study_file: StudyFile, folder: RunFolder):
    """Expect the share of an unchanged request to be kept, so that finished pairs stay valid."""
    plan = layout.write_run_folder(resolve_audits(validated(study_file, 'precision = "0.45"'), folder), folder)
    _write_outcome(folder, plan, "t")
    kept = resolve_audits(validated(study_file, 'precision = "0.45"'), folder)
    assert kept.audits == plan.audits
    (changed,) = resolve_audits(validated(study_file, 'precision = "0.46"'), folder).audits
    assert changed.basis == "from 1 earlier results of this run"
    assert changed.standard_error != plan.audits[0].standard_error


def test_a_pair_needs_a_share():
    with pytest.raises(ValueError, match="must be resolved to a share"):
        tiny.pair(
            attack=tiny.attack(method="autoattack", steps=100).model_copy(update={"audit": Audit(precision="0.1")})
        )
