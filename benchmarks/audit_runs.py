"""Full attacks on real networks, from which audits with any share can be computed.

A run of the audited attack with share 1 searches every image. Verdicts do not depend on the share, so its verdicts
give the result of an audit with any share: the roles follow from the distances and digests of the images, and the
passes from the searches that each image went through. Runs are cached and resumed, because photographs take long.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from alignsec import atomic, digest
from alignsec.engine import Settings, evaluate
from alignsec.engine.audit import DistanceSorter, rank_images
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes.model_runner import ModelRunner
from alignsec.evaluation.task import Task
from alignsec.models.classifier import Classifier
from alignsec.schema import StrictModel
from alignsec.spec.attack import Attack
from alignsec.spec.components import COMPONENTS
from alignsec.spec.verdicts import ROBUST, WRONG

SECONDS_BETWEEN_SAVES = 30.0
SLOTS = 400

Load = Callable[[], tuple[Classifier, Tensor, Tensor]]


class FullRun(StrictModel):
    """Results of a full attack at one budget, as far as audits depend on them."""

    attack: Attack
    verdicts: str
    """Verdict letters of the full attack."""
    survivors: list[int]
    """Images that survive APGD-CE, in ascending order of their distance to the decision boundary."""
    ranks: list[int]
    """Digests that select the audited images."""
    broken_at: dict[int, tuple[str, int, int]]
    """Component, target and step that broke each broken image."""
    passes: int
    """Passes of the run, forward + 2 x backward, without the clean pass and the distances."""
    seconds: float

    def cost(self, image: int) -> int:
        """Return the passes of one image, forward + 2 x backward, as far as they follow from its verdict.

        Searches that ran at the same time as the one that broke the image, and the judging, are not included.
        """
        if self.verdicts[image] == WRONG:
            return 0
        component, target, step = self.broken_at.get(image, ("", 0, 0))
        total = 0
        for name in self.attack.components:
            if name == component:
                return total + search_cost(self.attack, name, target, step)
            total += component_cost(self.attack, name)
        return total

    def is_screened_out(self, image: int, targets: int) -> bool:
        """Return whether the screen, APGD-CE and the first targets of APGD-T, breaks an image."""
        component, target, _ = self.broken_at.get(image, ("", 0, 0))
        return component == "apgd-ce" or (component == "apgd-t" and target < targets)

    @cached_property
    def costs(self) -> list[int]:
        """Passes of each image, see `cost`."""
        return [self.cost(image) for image in range(len(self.verdicts))]

    @cached_property
    def robust(self) -> int:
        """Number of images that survive the full attack."""
        return self.verdicts.count(ROBUST)


def component_cost(attack: Attack, name: str, targets: int | None = None) -> int:
    """Return the passes of an image that survives a component, or its first targets."""
    passes = COMPONENTS[name].passes(attack.parameters(name) | ({} if targets is None else {"targets": targets}))
    return passes.forward + 2 * passes.backward


def search_cost(attack: Attack, name: str, target: int, step: int) -> int:
    """Return the passes of an image that a component breaks at a step of the search for a target."""
    if name == "square":
        return max(step, 1)
    each = 3 if name.startswith("apgd") else 4
    return (component_cost(attack, name, target) if target else 0) + each * (step + name.startswith("apgd"))


@dataclass(frozen=True)
class AuditCase:
    """A network, images and an attack at one budget."""

    name: str
    load: Load
    norm: str
    eps: str
    more: Mapping[str, object] = field(default_factory=dict)
    """Parameters of the attack that are not the standard ones."""

    @property
    def key(self) -> str:
        """Name of the case's file in the cache."""
        return digest.sha256_of_json([self.name, self.norm, self.eps])[:12]

    def task(self, share: str) -> Task:
        """Return the audited attack of a share."""
        classifier, pixels, labels = self.load()
        fields = {"method": "autoattack", "norm": self.norm, "eps": [self.eps], "audit": {"share": share}}
        attack = Attack.model_validate({**fields, **self.more})
        return Task(classifier, pixels, labels, attack, 0, audit_key=self.name)

    def _path(self, cache: Path) -> Path:
        return cache / f"{self.key}.json"

    def is_finished(self, cache: Path) -> bool:
        """Return whether the cache has the run."""
        return self._path(cache).is_file()

    def run(self, cache: Path) -> FullRun:
        """Return the full run: from the cache, or computed and stored there.

        Args:
            cache: Folder for finished runs, and for the state of one that was interrupted.
        """
        finished = self._path(cache)
        if self.is_finished(cache):
            return FullRun.model_validate_json(finished.read_bytes())
        cache.mkdir(parents=True, exist_ok=True)
        task = self.task("1")
        last = self._evaluate(task, cache / f"{self.key}.part")
        run = summarize_run(task, last)
        atomic.write_atomic(finished, run.model_dump_json(indent=1).encode())
        return run

    def _evaluate(self, task: Task, part: Path) -> Evaluation:
        before = Evaluation.model_validate_json(part.read_bytes()) if part.is_file() else None
        settings = Settings(slots=SLOTS, seconds_between_yields=SECONDS_BETWEEN_SAVES)
        for evaluation in evaluate(task, before, settings):
            if not evaluation.complete:
                atomic.write_atomic(part, evaluation.model_dump_json().encode())
        part.unlink(missing_ok=True)
        return evaluation


def summarize_run(task: Task, evaluation: Evaluation) -> FullRun:
    """Return the full run of a finished evaluation with share 1 and one budget."""
    (budget,) = evaluation.budgets
    broken = {one.image: (one.component, one.target, one.step) for one in evaluation.adversarial_images}
    alive = [
        image
        for image, letter in enumerate(budget.verdicts)
        if letter != WRONG and broken.get(image, ("",))[0] != "apgd-ce"
    ]
    return FullRun(
        attack=task.attack,
        verdicts=budget.verdicts,
        survivors=sort_by_distance(task, alive),
        ranks=rank_images(task),
        broken_at=broken,
        passes=sum(one.forward + 2 * one.backward for one in budget.passes.values()),
        seconds=round(budget.seconds, 1),
    )


def sort_by_distance(task: Task, images: list[int]) -> list[int]:
    """Return images in the order in which the engine's audit sorts them."""
    with torch.no_grad():
        logits = torch.cat([task.classifier(part) for part in task.pixels.split(SLOTS)])
    runner = ModelRunner(task.classifier, "fp32", SLOTS)
    ranking, norm = logits.sort(dim=1).indices, task.attack.norm or "Linf"
    return DistanceSorter(runner, task.pixels, task.labels, ranking, norm)(images)
