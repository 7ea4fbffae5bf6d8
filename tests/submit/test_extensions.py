"""Raising the share of an audit: the new pair extends the outcome of the old one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec import digest
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.pair_shard import read_pair
from alignsec.run.plan import Plan
from submit import layout, validation
from submit.audits import resolve_audits
from tests import tiny

StudyFile = Callable[..., Path]
ATTACK = """
[[attacks]]
method = "autoattack"
norm = "Linf"
eps = ["1/255"]
audit = {{ share = "{}"{} }}
"""


@pytest.fixture
def submit(study_file: StudyFile, tmp_path: Path) -> Callable[..., tuple[RunFolder, Plan]]:
    """Write the run folder of a study with a share."""
    folder = RunFolder(tmp_path / "runs" / "tiny")

    def write(share: str, more: str = "") -> tuple[RunFolder, Plan]:
        path = study_file("a", attacks=ATTACK.format(share, more))
        validated = resolve_audits(validation.validate(path, tmp_path / "hub"), folder)
        return folder, layout.write_run_folder(validated, folder)

    return write


def finish(folder: RunFolder, plan: Plan) -> Path:
    (pair,) = plan
    record = tiny.record(pair, ["RRRR"])
    budget = record.budgets[0].model_copy(update={"verdicts": "RRRU", "audit": "aabf"})
    path = folder.outcome(pair.id)
    outcome_file.write(path, record.model_copy(update={"budgets": [budget]}))
    return path


def test_a_larger_share_extends_the_largest_smaller_one(submit):
    """Expect the id of a fresh pair, the digest of the outcome, and its file among the job's inputs."""
    folder, first = submit("0.1")
    finish(folder, first)
    folder, second = submit("0.2")
    earlier = finish(folder, second)
    folder, plan = submit("0.5")
    (planned,) = plan.planned
    assert planned.pair.extends.sha256 == digest.sha256_of_file(earlier)
    assert planned.inputs[-1] == f"outcomes/{earlier.name}"
    assert planned.pair.extends.name == earlier.name
    assert read_pair(folder.pair_file("shard-00000"), planned.pair.id) == planned.pair
    assert Plan.read(folder) == plan
    assert planned.pair.id == planned.pair.model_copy(update={"extends": None}).id


def test_other_outcomes_are_not_extended(submit):
    """A larger share, the same share, another screen and a damaged file."""
    folder, plan = submit("0.5")
    path = finish(folder, plan)
    assert plan.planned[0].pair.extends is None
    for share, more in (("0.5", ""), ("0.2", ""), ("0.9", ", targets = 2")):
        assert submit(share, more)[1].planned[0].pair.extends is None
    path.write_bytes(path.read_bytes()[:-3])
    assert submit("0.9")[1].planned[0].pair.extends is None


def test_a_pair_without_an_audit_extends_nothing():
    with pytest.raises(ValueError, match="only an audited attack extends"):
        tiny.pair(extends={"name": "o.json", "sha256": "1" * 64})


def test_a_pair_that_keeps_all_examples_extends_nothing(submit):
    """The examples of the earlier job's images would be missing."""
    folder, plan = submit("0.1")
    finish(folder, plan)
    assert submit("0.9", ' }\nkeep = "all"  # ')[1].planned[0].pair.extends is None
    assert submit("0.9")[1].planned[0].pair.extends is not None
