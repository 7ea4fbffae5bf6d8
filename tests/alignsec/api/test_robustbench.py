"""RobustBench's own code runs on alignsec: `benchmark()` with one changed import, and its record of a model.

Skipped without the package robustbench, which alignsec does not install.
"""

import dataclasses
import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

import alignsec
from aggregate.exports import robustbench as export
from tests.aggregate.synthetic_run import STANDARD, write_run
from tests.alignsec.engine import small

pytestmark = pytest.mark.skipif(find_spec("robustbench") is None, reason="robustbench is not installed")


class RecordedAutoAttack(alignsec.AutoAttack):
    """alignsec.AutoAttack, whose instances a test can look at."""

    made: ClassVar[list[alignsec.AutoAttack]] = []

    def __init__(self, *arguments: Any, **fields: Any) -> None:
        super().__init__(*arguments, **fields)
        self.made.append(self)


@pytest.fixture
def changed_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `from alignsec import AutoAttack` in robustbench/eval.py would do."""
    package, state = ModuleType("autoattack"), ModuleType("autoattack.state")
    package.__dict__["AutoAttack"] = RecordedAutoAttack
    state.__dict__["EvaluationState"] = SimpleNamespace
    monkeypatch.setitem(sys.modules, "autoattack", package)
    monkeypatch.setitem(sys.modules, "autoattack.state", state)


@pytest.fixture
def benchmark(changed_import: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[float, float]]:
    """RobustBench's function, which reads digits instead of CIFAR-10."""
    from robustbench import data  # noqa: PLC0415
    from robustbench.eval import benchmark as run  # noqa: PLC0415
    from robustbench.model_zoo.enums import BenchmarkDataset  # noqa: PLC0415

    def load_digits(count: int, folder: str, preprocessing: object):
        return tuple(part[1000 : 1000 + count] for part in small.digits())

    monkeypatch.setitem(data._clean_dataset_loaders, BenchmarkDataset.cifar_10, load_digits)
    return run


def test_benchmark_returns_the_engines_accuracy(benchmark: Callable[..., tuple[float, float]], tmp_path: Path):
    """Its clean and robust accuracy are those of alignsec.AutoAttack's verdicts."""
    network, log = small.network(robust=True).eval(), tmp_path / "log.txt"
    clean, robust = benchmark(
        network, n_examples=12, dataset="cifar10", threat_model="Linf", eps=0.15, batch_size=12, log_path=str(log)
    )
    (attack,) = RecordedAutoAttack.made
    assert clean == 1 - attack.verdicts.count("W") / 12
    assert robust == pytest.approx(attack.verdicts.count("R") / 12)
    assert 0 < robust < clean
    assert "robust accuracy" in log.read_text(encoding="utf-8")


def test_exported_files_have_the_fields_of_robustbench(changed_import: None, tmp_path: Path):
    """`ModelInfo` accepts every field, and the leaderboard sorts by the accuracy that was exported."""
    from robustbench.model_zoo.enums import ThreatModel  # noqa: PLC0415
    from robustbench.utils import ACC_FIELDS, ModelInfo  # noqa: PLC0415

    run = write_run(tmp_path / "run", models=["my model"])
    made = run.make_record(run.pair("my model", STANDARD.name), "RRRRRctfsW", "RRccctfscW")
    infos = [json.loads(content) for _, content in export.list_files(made)]
    assert tuple(field.name for field in dataclasses.fields(ModelInfo)) == export.FIELDS
    assert [ModelInfo(**info).autoattack_acc for info in infos] == ["50.00", "20.00"]
    assert ACC_FIELDS[ThreatModel.Linf] == ("external", "autoattack_acc")
    assert not any("external" in info for info in infos)
