"""Peers: other implementations of AutoAttack, each answering the same question on the same classifier."""

import importlib
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from alignsec import engine, reference_run
from alignsec.engine import Settings
from alignsec.outcome import ROBUST, WRONG
from alignsec.task import Task


@dataclass(frozen=True)
class Answer:
    """What one implementation made of a task."""

    verdicts: tuple[str, ...]
    """One string a budget; a letter an image, as in an outcome."""
    forward: int
    backward: int
    seconds: float
    """Of the processor."""

    @property
    def robust(self) -> list[int]:
        """Robust images, by budget."""
        return [letters.count(ROBUST) for letters in self.verdicts]

    def disagreements(self, other: "Answer") -> int:
        """Images and budgets at which one says robust and the other does not."""
        pairs = zip("".join(self.verdicts), "".join(other.verdicts), strict=True)
        return sum((a == ROBUST) != (b == ROBUST) for a, b in pairs)


def _timed(task: Task, verdicts: Callable[[], tuple[str, ...]]) -> Answer:
    began, before = time.process_time(), task.classifier.passes
    letters = verdicts()
    after = task.classifier.passes
    forward, backward = after.forward - before.forward, after.backward - before.backward
    return Answer(letters, forward, backward, time.process_time() - began)


def ours(task: Task, replay: bool = False) -> Answer:
    """This engine; replay: with the reference's random numbers."""

    def verdicts() -> tuple[str, ...]:
        *_, last = engine.evaluate(task, settings=Settings(slots=max(task.attack.batch, 64), replay=replay))
        return tuple(budget.verdicts for budget in last.budgets)

    return _timed(task, verdicts)


def pyautoattack(task: Task) -> Answer:
    """The reference, through alignsec.reference_run."""

    def verdicts() -> tuple[str, ...]:
        *_, last = reference_run.evaluate(task)
        return tuple(budget.verdicts for budget in last.budgets)

    return _timed(task, verdicts)


def torchattacks(task: Task, steps: int | None = None) -> Answer | None:
    """The torchattacks package as it is installed, or with its steps set; None where it is not."""
    if importlib.util.find_spec("torchattacks") is None:
        return None
    package = importlib.import_module("torchattacks")

    def at(eps: float) -> Tensor:
        attack = package.AutoAttack(task.classifier, norm=task.attack.norm, eps=eps, n_classes=10, seed=task.seed)
        for part in attack._autoattack.attacks:
            if steps is not None and hasattr(part, "steps"):
                part.steps = steps
        kept: Tensor = task.classifier(attack(task.pixels, task.labels)).argmax(1) == task.labels
        return kept

    def verdicts() -> tuple[str, ...]:
        clean = (task.classifier(task.pixels).argmax(1) == task.labels).tolist()
        return tuple(
            "".join(ROBUST if kept else "c" if right else WRONG for right, kept in zip(clean, left, strict=True))
            for left in (at(float(eps)).tolist() for eps in task.attack.budgets)
        )

    return _timed(task, verdicts)
