"""Audit: the scheduler of an audited attack, which holds the survivors of the screen until all are known."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from alignsec.engine.attacks.components import count_screen_stages, count_untargeted_stages
from alignsec.engine.audit_extension import find_full_audits, find_known_verdicts, is_usable
from alignsec.engine.problem import Problem
from alignsec.engine.scheduler import Cell, Scheduler
from alignsec.engine.search import Stage
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes.model_runner import ModelRunner
from alignsec.evaluation.passes.warnings import RANDOMISED
from alignsec.evaluation.task import Task
from alignsec.models.pixels import Images
from alignsec.spec.audit import NOT_AUDITED, PILOT, SECOND, STRATA, Stratum
from alignsec.spec.audit_plan import assign_pilot, assign_second, assign_strata
from alignsec.spec.budget import Budget
from alignsec.spec.components import Norm
from alignsec.spec.verdicts import ROBUST, UNAUDITED, Passes

FLAT_SHARE = 0.05
"""If more searches than this share of the images start at a zero gradient, all survivors are audited."""
_CLASSES = 9
"""Classes whose linearised distance is computed, the most likely ones first."""
_IMAGES_AT_ONCE = 100
_SCREEN, _NEAR_SCREEN, _PILOT_PHASE, _REST = range(4)


@dataclass
class AuditPlan:
    """What the scheduler needs to choose the images of an audit."""

    share: Budget
    ranks: list[int]
    """A digest for each image; images with small digests are audited first."""
    sorter: "DistanceSorter"
    needs_full: Callable[[], bool]
    """Returns whether the model needs the full attack on every survivor, whatever the pilot found."""


@dataclass(kw_only=True)
class AuditScheduler(Scheduler):
    """Runs the screen on every cell, its targeted part near the boundary, the pilot, and the rest of the audit.

    A cell that survives the screen has the verdict UNAUDITED until its audit starts.
    """

    plan: AuditPlan
    places: dict[Stratum, int]
    """Index of the first stage after each stratum's screen."""
    known: dict[Cell, str] = field(default_factory=dict)
    """Verdicts of an earlier outcome with a smaller share."""
    full_audits: frozenset[int] = frozenset()
    """Budgets at which every survivor is audited, whatever the pilot finds."""
    roles: list[str] = field(default_factory=list)
    """Role letters by budget; empty before the strata are known."""
    phase: int = _SCREEN

    def start(self, eps: Sequence[float]) -> None:
        """Start the screen of every robust cell whose budget is above 0."""
        super().start(eps)
        self._advance()

    @property
    def undecided(self) -> int:
        """Number of cells without a final verdict."""
        held = sum(letters.count(UNAUDITED) for letters in self.verdicts) if self.phase < _REST else 0
        return super().undecided + held

    @property
    def passes_left(self) -> int:
        """Forward passes if no further image breaks and every survivor is audited: an upper bound."""
        held = sum(letters.count(UNAUDITED) for letters in self.verdicts) if self.phase < _REST else 0
        each = sum(stage.searches * stage.schedule.forward for stage in self.stages[self.places["far"] :])
        return super().passes_left + held * each

    def annotate(self, evaluation: Evaluation) -> Evaluation:
        """Return an evaluation with the roles, the phase and the passes of the sorter."""
        budgets = evaluation.budgets
        if self.roles:
            pairs = zip(budgets, self.roles, strict=True)
            budgets = tuple(one.model_copy(update={"audit": roles}) for one, roles in pairs)
        clean, more = evaluation.clean_passes, self.plan.sorter.passes
        passes = Passes(forward=clean.forward + more, backward=clean.backward + more)
        return evaluation.model_copy(
            update={"budgets": budgets, "audit_phase": self.phase, "clean_passes": passes}
        )

    def _enter(self, budget: int, image: int, place: int) -> None:
        if (self.phase == _SCREEN and place == self.places["far"]) or (
            self.phase == _NEAR_SCREEN and place == self.places["near"]
        ):
            self.verdicts[budget][image] = UNAUDITED
            del self.runs[budget, image]
            self._advance()
        else:
            super()._enter(budget, image, place)

    def _decide(self, budget: int, image: int) -> None:
        super()._decide(budget, image)
        self._advance()

    def _advance(self) -> None:
        """Start the next phase if the present one has no search left."""
        while self.phase < _REST and not super().undecided:
            self.phase += 1
            verdicts, plan = ["".join(letters) for letters in self.verdicts], self.plan
            if self.phase == _NEAR_SCREEN:
                self.roles = self._assign_strata()
                if self.places["near"] > self.places["far"]:
                    self._start_stratum("near", NOT_AUDITED, self.places["far"])
            elif self.phase == _PILOT_PHASE:
                self.roles = [
                    assign_pilot(strata, letters, plan.ranks, plan.share)
                    for strata, letters in zip(self.roles, verdicts, strict=True)
                ]
                self._audit(PILOT)
            else:
                full = plan.needs_full()
                self.roles = [
                    assign_second(roles, letters, plan.ranks, plan.share, full or budget in self.full_audits)
                    for budget, (roles, letters) in enumerate(zip(self.roles, verdicts, strict=True))
                ]
                self._audit(SECOND)

    def _assign_strata(self) -> list[str]:
        survivors = [
            [image for image, letter in enumerate(letters) if letter == UNAUDITED] for letters in self.verdicts
        ]
        nearest = self.plan.sorter(sorted({image for budget in survivors for image in budget}))
        return [assign_strata(each, len(self.plan.ranks), nearest) for each in survivors]

    def _audit(self, letters: dict[Stratum, str]) -> None:
        """Start the remaining searches of the images with these role letters."""
        # Far images first: a shared stage waits for them, so that it runs once for all budgets of an image.
        for stratum in reversed(STRATA):
            self._start_stratum(stratum, letters, self.places[stratum])

    def _start_stratum(self, stratum: Stratum, letters: dict[Stratum, str], place: int) -> None:
        """Start the stage at `place` for the images of a stratum with its role letter."""
        cells = [
            (budget, image)
            for budget, roles in enumerate(self.roles)
            for image, role in enumerate(roles)
            if role == letters[stratum]
        ]
        for budget, image in cells:
            self.verdicts[budget][image] = self.known.get((budget, image), ROBUST)
        if unknown := [cell for cell in cells if cell not in self.known]:
            self._start_cells(unknown, place)


def build_audit_scheduler(
    task: Task, first: Evaluation, problem: Problem, stages: tuple[Stage, ...], counters: Counter[str], batch: int
) -> AuditScheduler:
    """Return the scheduler of an audited attack.

    Args:
        task: A task whose attack has an audit.
        first: The evaluation from which the engine starts.
        problem: The problem.
        stages: Stages of the attack.
        counters: Events that the engine counts.
        batch: Largest number of images in a pass.
    """
    audit = task.attack.audit
    if audit is None:
        raise ValueError("the attack has no audit")
    randomised, few = RANDOMISED in first.notes, FLAT_SHARE * len(task.labels)
    plan = AuditPlan(
        share=audit.resolved_share,
        ranks=rank_images(task),
        sorter=DistanceSorter(
            ModelRunner(task.classifier, "fp32", batch), task.pixels, task.labels, problem.ranking, problem.norm
        ),
        needs_full=lambda: randomised or counters["flat starts"] > few,
    )
    earlier = task.earlier if is_usable(first, task.earlier) else ()
    return AuditScheduler(
        stages,
        [list(budget.verdicts) for budget in first.budgets],
        plan=plan,
        places={
            "near": count_screen_stages(stages, task.attack),
            "far": count_untargeted_stages(stages, task.attack),
        },
        known=find_known_verdicts(earlier),
        full_audits=find_full_audits(earlier),
        roles=[budget.audit for budget in first.budgets] if first.audit_phase else [],
        phase=first.audit_phase,
    )


def rank_images(task: Task) -> list[int]:
    """Return a digest of (model and attack, seed, image) for each image of a task."""
    ranks = []
    for image in range(len(task.labels)):
        content = hashlib.sha256(task.pixels[image].cpu().contiguous().numpy().tobytes()).hexdigest()
        key = f"{task.audit_key}/{task.seed}/{content}"
        ranks.append(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big"))
    return ranks


@dataclass
class DistanceSorter:
    """Sorts images by the linearised distance to the decision boundary.

    The distance is the minimum over classes c of (z_y - z_c) / ||gradient of z_y - z_c||, in the dual norm (Croce
    & Hein 2020, arXiv 1907.02044, section 2.1).
    """

    runner: ModelRunner
    pixels: Images
    labels: Tensor
    ranking: Tensor
    """Classes by the clean image's logits, images x classes, the most likely last."""
    norm: Norm
    passes: int = 0
    """Passes so far, forward and backward, in images."""

    def __call__(self, images: Sequence[int]) -> list[int]:
        """Return the indices in ascending order of their distances."""
        distances = dict(zip(images, self._compute(images), strict=True))
        return sorted(images, key=lambda image: (distances[image], image))

    def _compute(self, images: Sequence[int]) -> list[float]:
        found: list[float] = []
        for start in range(0, len(images), _IMAGES_AT_ONCE):
            at = torch.tensor(images[start : start + _IMAGES_AT_ONCE], device=self.labels.device)
            pixels, labels, ranking = self.pixels[at], self.labels[at], self.ranking[at]
            nearest = torch.full((len(at),), torch.inf, device=at.device)
            for rank in range(min(_CLASSES, ranking.shape[1] - 1)):
                lead = partial(_compute_lead, labels, ranking[:, -2 - rank])
                result = self.runner.forward_backward(pixels, lead)
                assert result.losses is not None and result.gradients is not None  # noqa: S101, PT018
                nearest = nearest.minimum(result.losses / dual_norm(result.gradients, self.norm).clamp_min(1e-12))
                self.passes += len(at)
            found += nearest.nan_to_num(torch.inf, torch.inf).tolist()
        return found


def _compute_lead(labels: Tensor, classes: Tensor, rows: slice, logits: Tensor) -> Tensor:
    """Return the label's logit minus that of another class."""
    own, other = (index[rows, None] for index in (labels, classes))
    return (logits.gather(1, own) - logits.gather(1, other)).squeeze(1)


def dual_norm(gradients: Tensor, norm: Norm) -> Tensor:
    """Return the norm of each gradient that is dual to the norm of the distance, N."""
    order = {"Linf": 1.0, "L2": 2.0, "L1": torch.inf}[norm]
    lengths: Tensor = torch.linalg.vector_norm(gradients.flatten(1), order, dim=1)
    return lengths
