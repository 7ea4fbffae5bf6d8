"""What is asked of the evaluator in tests: the reference's attacks, on digits and on networks for them."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from alignsec import evaluator
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.task import Task
from alignsec.spec.attack import Attack
from tests import tiny_networks
from tests.tiny_networks import few, trained

SEED = 3
LINF, L2 = ("0.06", "0.25"), ("0.3", "1.5")
"""On the digits network: the smaller budget breaks some images, the larger all but a few at once."""


def attack(method: str = "autoattack", norm: str = "Linf", eps: Sequence[str] = LINF, **fields: object) -> Attack:
    asked = {"method": method, "norm": norm, "eps": list(eps), "implementation": "reference"}
    return Attack.model_validate({**asked, **fields})


def task(asked: Attack, network: nn.Module | None = None, classes: int = 10, count: int = 20) -> Task:
    images, labels = few(classes, count)
    return Task(tiny_networks.classifier(network or trained(classes)), images, labels, asked, SEED)


def finish(asked: Task, known: Evaluation | None = None) -> Evaluation:
    *_, last = evaluator.evaluate(asked, known)
    return last


def timeless(evaluation: Evaluation) -> dict[str, Any]:
    """All of an evaluation but the seconds it took."""
    return evaluation.model_dump(exclude={"budgets": {"__all__": {"seconds"}}})
