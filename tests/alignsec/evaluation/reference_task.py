"""Tasks for tests of the evaluator: attacks of the reference on digits and on small networks."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from alignsec import evaluator
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.task import Task
from alignsec.spec.attack import Attack
from tests import tiny_networks
from tests.tiny_networks import first_digits, trained_network

SEED = 3
LINF, L2 = ("0.06", "0.25"), ("0.3", "1.5")
"""Budgets for the digits network. The smaller one breaks some images, the larger one most at once."""


def attack(method: str = "autoattack", norm: str = "Linf", eps: Sequence[str] = LINF, **fields: object) -> Attack:
    given = {"method": method, "norm": norm, "eps": list(eps), "implementation": "reference"}
    return Attack.model_validate({**given, **fields})


def task(attack: Attack, network: nn.Module | None = None, classes: int = 10, count: int = 20) -> Task:
    images, labels = first_digits(classes, count)
    return Task(tiny_networks.classifier(network or trained_network(classes)), images, labels, attack, SEED)


def run_to_end(task: Task, known: Evaluation | None = None) -> Evaluation:
    *_, last = evaluator.evaluate(task, known)
    return last


def without_seconds(evaluation: Evaluation) -> dict[str, Any]:
    """Return all fields of an evaluation except seconds."""
    return evaluation.model_dump(exclude={"budgets": {"__all__": {"seconds"}}})
