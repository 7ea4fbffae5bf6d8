"""APGD with expectation over transformation: each step averages the gradients of several passes.

A randomised model gives another gradient in each pass. A pass of the engine serves one of them, so a step of the
search takes as many rounds as there are gradients to average. As in the reference, the loss and the class of a
point are those of its last pass.

Reference: Croce & Hein 2020 (arXiv 2003.01690), section 5.1; Athalye et al. 2018 (arXiv 1707.07397).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from alignsec.engine.attacks.apgd import ApgdRows, AscentTable, advance, start_rows
from alignsec.engine.attacks.apgd_dlr import ApgdDlrTable
from alignsec.engine.search import Schedule
from alignsec.engine.table import StepInput
from alignsec.spec.components import Parameters


@dataclass
class EotRows(ApgdRows):
    """State of each search."""

    gradient_sum: Tensor
    """Sum of the gradients at x so far, N x C x H x W."""


class ApgdCeEotTable(AscentTable[EotRows]):
    """APGD-CE whose steps average gradients. `steps` counts the passes of each search."""

    @classmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the start and the steps; each takes one gradient pass for each draw."""
        return Schedule(parameters["steps"], (parameters["steps"] + 1) * parameters["eot"])

    @property
    def _draws(self) -> int:
        """Number of gradients that a step averages."""
        return self.stage.schedule.forward // (self.stage.schedule.steps + 1)

    def counts_now(self) -> list[bool]:
        """Return True for searches in the last pass of their point."""
        return [(taken + 1) % self._draws == 0 for taken in self.steps]

    def update(self, step: StepInput) -> list[bool]:
        """Add a gradient, and take a step with the mean after the last pass of a point."""
        assert step.losses is not None and step.gradients is not None  # noqa: S101, PT018 - a gradient pass
        rows, ends, due = self.rows, self.ends_now(), self.counts_now()
        rows.gradient_sum = rows.gradient_sum + step.gradients
        if chosen := [row for row, is_due in enumerate(due) if is_due]:
            at = torch.tensor(chosen, device=rows.x.device)
            moving = rows.select(at)
            taken = [self.steps[row] // self._draws for row in chosen]
            mean = moving.gradient_sum / self._draws
            starting = [position for position, steps in enumerate(taken) if steps == 0]
            self.counters["flat starts"] += int((mean[starting] == 0).flatten(1).all(1).sum())
            advance(moving, step.losses[at], mean, taken, self.stage.schedule.steps, self.problem.norm)
            moving.gradient_sum = torch.zeros_like(mean)
            mine, moved = rows.tensors(), moving.tensors()
            self.replace(
                self.searches,
                self.steps,
                EotRows(**{name: mine[name].index_copy(0, at, moved[name]) for name in mine}),
            )
        self._count_step()
        return ends

    def _start_rows(self, clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor) -> EotRows:
        first = start_rows(clean, labels, targets, eps, noise, self.problem.norm)
        return EotRows(**first.tensors(), gradient_sum=torch.zeros_like(clean))

    def _advance(self, losses: Tensor, gradients: Tensor) -> None:
        """Do nothing: `update` moves the rows."""

    def row_type(self) -> type[EotRows]:
        """Return the class of the rows."""
        return EotRows


class ApgdDlrEotTable(ApgdCeEotTable):
    """APGD-DLR whose steps average gradients."""

    losses = ApgdDlrTable.losses
