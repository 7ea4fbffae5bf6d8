"""The replay of audits from one full run, and the engine."""

import pytest

from alignsec.spec.attack import Attack
from alignsec.spec.budget import Budget
from benchmarks.audit_replay import make_row, replay_audit
from benchmarks.audit_runs import AuditCase, FullRun, summarize_run
from tests.alignsec.engine import small

FIELDS = {"method": "autoattack", "norm": "Linf", "eps": ["0.12"], "steps": 10, "queries": 30}


@pytest.fixture(scope="module")
def full() -> FullRun:
    """A short full attack on 80 digits."""
    task = small.task(True, _attack("1"), 80)
    return summarize_run(task, small.finished(task))


def _attack(share: str) -> Attack:
    return Attack.model_validate({**FIELDS, "audit": {"share": share}})


@pytest.mark.parametrize("share", ["0.05", "0.2", "1"])
def test_the_replay_equals_the_engine(full: FullRun, share: str):
    """Expect the engine's roles and verdicts, and its passes within 3 %."""
    engine = small.finished(small.task(True, _attack(share), 80))
    (budget,) = engine.budgets
    found = replay_audit(full, Budget.parse(share))
    assert (found.roles, found.verdicts) == (budget.audit, budget.verdicts)
    spent = sum(one.forward + 2 * one.backward for one in budget.passes.values())
    distances = 27 * len(full.survivors)
    assert found.passes - distances == pytest.approx(spent, rel=0.03)


def test_a_row_compares_the_audit_with_the_full_attack(full: FullRun):
    """Expect no error and no saving if everything is audited."""
    row = make_row("digits", full, "1")
    assert (row["error"], row["rms_error"], row["bias"]) == (0, 0, 0)
    assert row["passes_ratio"] <= 1
    assert row["coverage_exact"] == 1
    few = make_row("digits", full, "0.05")
    assert few["passes_ratio"] > 2
    assert few["width"] >= row["width"]


def test_a_run_is_cached_and_an_interrupted_one_is_resumed(tmp_path, monkeypatch):
    """Expect no attack for a finished case, and the state of an unfinished one to be read."""
    tasks = []

    def load():
        tasks.append(small.task(True, _attack("1"), 6))
        return tasks[-1].classifier, tasks[-1].pixels, tasks[-1].labels

    monkeypatch.setattr("benchmarks.audit_runs.SECONDS_BETWEEN_SAVES", 0.0)
    case = AuditCase("digits", load, "Linf", "0.01", {"steps": 5, "queries": 5})
    states = []
    monkeypatch.setattr(
        "benchmarks.audit_runs.atomic.write_atomic", lambda path, data: states.append((path, data))
    )
    case.run(tmp_path)
    monkeypatch.undo()
    part, data = states[len(states) // 2]
    assert part.suffix == ".part"
    part.write_bytes(data)
    resumed = case.run(tmp_path)
    assert not part.exists()
    assert resumed.verdicts == FullRun.model_validate_json(states[-1][1]).verdicts
    before = len(tasks)
    assert case.run(tmp_path) == resumed
    assert len(tasks) == before
