"""`make gpu-check`: its logic, on the CPU. Only a GPU can give the measurements."""

import json
from pathlib import Path

import pytest
import torch

from alignsec.evaluation.task import Task
from benchmarks import gpu_check
from benchmarks.gpu_check import CHECKS, Check, CheckResult, check_out_of_memory, check_search, run_checks
from tests.alignsec.engine import small

MET = Check("one", "at most 2", lambda _: (True, "1"))
MISSED = Check("two", "at most 2", lambda _: (False, "3"))


def small_task() -> Task:
    """Return a task of twelve digits, all in one batch."""
    return small.task(True, small.attack(eps=("0.05",), batch=12))


def broken(_: object) -> tuple[bool, str]:
    raise RuntimeError("CUDA error:\n no kernel image")


def test_without_a_gpu_every_row_is_not_yet_measured() -> None:
    results = run_checks(CHECKS, None)
    assert len(results) == len(CHECKS)
    assert {(result.measured, result.state) for result in results} == {("", "not yet measured")}


def test_an_error_is_the_result_of_its_check_alone() -> None:
    results = run_checks((Check("three", "runs", broken), MET, MISSED), small_task())
    assert [result.state for result in results] == ["failed", "passed", "failed"]
    assert results[0].measured == "RuntimeError: CUDA error: no kernel image"


def test_a_search_that_ran_in_float32_does_not_pass() -> None:
    """On a CPU, TF32 is not available, so float32's own verdicts do not pass."""
    met, measured = check_search(small_task(), search="tf32")
    assert not met
    assert measured.startswith("0 missed and 0 additional")
    assert "does not support tf32" in measured


def test_memory_that_runs_out_gives_the_same_verdicts() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    task = small_task()
    met, measured = check_out_of_memory(task)
    assert met, measured
    assert measured.endswith("verdicts equal")


def test_the_command_writes_one_file_and_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu_check, "RESULTS", tmp_path / "gpu.json")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_check.main() == 0
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert "not yet measured" in written["device"]
    assert [row["name"] for row in written["checks"]] == [check.name for check in CHECKS]
    assert capsys.readouterr().out.count("not yet measured") == len(CHECKS) + 1
    failed = [CheckResult("x", "y", "z", "failed")]
    monkeypatch.setattr(gpu_check, "run_checks", lambda *_: failed)
    assert gpu_check.main() == 1
