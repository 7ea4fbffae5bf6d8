"""Implementations of AutoAttack, each run on the same task and classifier."""

import importlib
import importlib.util
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from alignsec import engine
from alignsec.engine import Settings
from alignsec.evaluation import reference_run
from alignsec.evaluation.task import Task
from alignsec.spec.attack import Attack
from alignsec.spec.verdicts import ROBUST, WRONG
from benchmarks.clock import seconds


@dataclass(frozen=True)
class Answer:
    """The result of one implementation."""

    verdicts: tuple[str, ...]
    """One string per budget with one letter per image, as in an outcome."""
    forward: int
    backward: int
    seconds: float
    """Time according to `benchmarks.clock`."""

    @property
    def robust(self) -> list[int]:
        """Number of robust images at each budget."""
        return [letters.count(ROBUST) for letters in self.verdicts]

    def count_disagreements(self, other: "Answer") -> int:
        """Return the number of verdicts of which exactly one is robust."""
        pairs = zip("".join(self.verdicts), "".join(other.verdicts), strict=True)
        return sum((a == ROBUST) != (b == ROBUST) for a, b in pairs)


def _measure(task: Task, verdicts: Callable[[], tuple[str, ...]]) -> Answer:
    start, before = seconds(), task.classifier.passes
    letters = verdicts()
    after = task.classifier.passes
    forward, backward = after.forward - before.forward, after.backward - before.backward
    return Answer(letters, forward, backward, seconds() - start)


Implementation = Callable[[Task], Answer]
_SHORT_SECONDS = 3.0
_REPEATS = 3


def measure_all(task: Task, implementations: Sequence[Implementation]) -> list[Answer]:
    """Return the answer of each implementation; short runs alternate several times, and the median time counts."""
    runs = [[one(task) for one in implementations]]
    if sum(answer.seconds for answer in runs[0]) < _SHORT_SECONDS:
        runs += [[one(task) for one in implementations] for _ in range(_REPEATS - 1)]
    middle = [statistics.median(answer.seconds for answer in answers) for answers in zip(*runs, strict=True)]
    return [replace(answer, seconds=took) for answer, took in zip(runs[0], middle, strict=True)]


def run_in_sequence(implementation: Implementation, first: Task, then: Attack) -> Answer:
    """Return the answer to an attack followed by another one on the robust images; both have one budget."""
    one = implementation(first)
    kept = [at for at, letter in enumerate(one.verdicts[0]) if letter == ROBUST]
    if not kept:
        return one
    rest = replace(first, pixels=first.pixels[kept], labels=first.labels[kept], attack=then)
    two = implementation(rest)
    letters = list(one.verdicts[0])
    for at, letter in zip(kept, two.verdicts[0], strict=True):
        letters[at] = letter
    passes = one.forward + two.forward, one.backward + two.backward
    return Answer(("".join(letters),), *passes, one.seconds + two.seconds)


def engine_with_replay(task: Task) -> Answer:
    """Run alignsec's engine with the reference's random numbers."""
    return run_engine(task, replay=True)


def run_engine(task: Task, replay: bool = False) -> Answer:
    """Run alignsec's engine; `replay` uses the reference's random numbers."""

    def verdicts() -> tuple[str, ...]:
        *_, last = engine.evaluate(task, settings=Settings(slots=max(task.attack.batch, 64), replay=replay))
        return tuple(budget.verdicts for budget in last.budgets)

    return _measure(task, verdicts)


def pyautoattack(task: Task) -> Answer:
    """Run the reference package with alignsec.evaluation.reference_run."""

    def verdicts() -> tuple[str, ...]:
        *_, last = reference_run.evaluate(task)
        return tuple(budget.verdicts for budget in last.budgets)

    return _measure(task, verdicts)


def has_torchattacks() -> bool:
    """Return whether the package is installed; the project does not depend on it."""
    return importlib.util.find_spec("torchattacks") is not None


def torchattacks(task: Task, steps: int | None = None) -> Answer:
    """Run torchattacks with its default or given steps. It supports Linf and L2."""
    package = importlib.import_module("torchattacks")

    def robust_at(eps: float) -> Tensor:
        attack = package.AutoAttack(task.classifier, norm=task.attack.norm, eps=eps, n_classes=10, seed=task.seed)
        for component in attack._autoattack.attacks:
            if steps is not None and hasattr(component, "steps"):
                component.steps = steps
            if steps is not None and hasattr(component, "n_queries"):
                component.n_queries = task.attack.queries
        kept: Tensor = task.classifier(attack(task.pixels, task.labels)).argmax(1) == task.labels
        return kept

    def verdicts() -> tuple[str, ...]:
        clean = (task.classifier(task.pixels).argmax(1) == task.labels).tolist()
        return tuple(
            "".join(ROBUST if kept else "c" if right else WRONG for right, kept in zip(clean, left, strict=True))
            for left in (robust_at(float(eps)).tolist() for eps in task.attack.budgets)
        )

    return _measure(task, verdicts)
