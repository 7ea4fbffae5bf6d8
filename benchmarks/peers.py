"""Peers: other implementations of AutoAttack, each answering the same question on the same classifier."""

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
    """What one implementation made of a task."""

    verdicts: tuple[str, ...]
    """One string a budget; a letter an image, as in an outcome."""
    forward: int
    backward: int
    seconds: float
    """See the clock."""

    @property
    def robust(self) -> list[int]:
        """Robust images, by budget."""
        return [letters.count(ROBUST) for letters in self.verdicts]

    def disagreements(self, other: "Answer") -> int:
        """Images and budgets at which one says robust and the other does not."""
        pairs = zip("".join(self.verdicts), "".join(other.verdicts), strict=True)
        return sum((a == ROBUST) != (b == ROBUST) for a, b in pairs)


def _timed(task: Task, verdicts: Callable[[], tuple[str, ...]]) -> Answer:
    began, before = seconds(), task.classifier.passes
    letters = verdicts()
    after = task.classifier.passes
    forward, backward = after.forward - before.forward, after.backward - before.backward
    return Answer(letters, forward, backward, seconds() - began)


Implementation = Callable[[Task], Answer]
_BRIEF = 3.0
_REPEATS = 3


def measured(task: Task, implementations: Sequence[Implementation]) -> list[Answer]:
    """Each one's answer, with the median seconds of runs in turn where all of them are brief."""
    runs = [[one(task) for one in implementations]]
    if sum(answer.seconds for answer in runs[0]) < _BRIEF:
        runs += [[one(task) for one in implementations] for _ in range(_REPEATS - 1)]
    middle = [statistics.median(answer.seconds for answer in answers) for answers in zip(*runs, strict=True)]
    return [replace(answer, seconds=took) for answer, took in zip(runs[0], middle, strict=True)]


def in_turn(implementation: Implementation, first: Task, then: Attack) -> Answer:
    """The answer to an attack, and to another one on what it leaves robust; of one budget both."""
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


def replayed(task: Task) -> Answer:
    """This engine with the reference's random numbers."""
    return ours(task, replay=True)


def ours(task: Task, replay: bool = False) -> Answer:
    """This engine; replay: with the reference's random numbers."""

    def verdicts() -> tuple[str, ...]:
        *_, last = engine.evaluate(task, settings=Settings(slots=max(task.attack.batch, 64), replay=replay))
        return tuple(budget.verdicts for budget in last.budgets)

    return _timed(task, verdicts)


def pyautoattack(task: Task) -> Answer:
    """The reference, through alignsec.evaluation.reference_run."""

    def verdicts() -> tuple[str, ...]:
        *_, last = reference_run.evaluate(task)
        return tuple(budget.verdicts for budget in last.budgets)

    return _timed(task, verdicts)


def has_torchattacks() -> bool:
    """Whether that package, which the project does not need, is installed."""
    return importlib.util.find_spec("torchattacks") is not None


def torchattacks(task: Task, steps: int | None = None) -> Answer:
    """The torchattacks package as it is installed, or with its steps set. It knows Linf and L2."""
    package = importlib.import_module("torchattacks")

    def at(eps: float) -> Tensor:
        attack = package.AutoAttack(task.classifier, norm=task.attack.norm, eps=eps, n_classes=10, seed=task.seed)
        for part in attack._autoattack.attacks:
            if steps is not None and hasattr(part, "steps"):
                part.steps = steps
            if steps is not None and hasattr(part, "n_queries"):
                part.n_queries = task.attack.queries
        kept: Tensor = task.classifier(attack(task.pixels, task.labels)).argmax(1) == task.labels
        return kept

    def verdicts() -> tuple[str, ...]:
        clean = (task.classifier(task.pixels).argmax(1) == task.labels).tolist()
        return tuple(
            "".join(ROBUST if kept else "c" if right else WRONG for right, kept in zip(clean, left, strict=True))
            for left in (at(float(eps)).tolist() for eps in task.attack.budgets)
        )

    return _timed(task, verdicts)
