"""Evaluation: what is known of a pair while it is being answered. Small and JSON-able: a checkpoint is one."""

from pydantic import BaseModel, ConfigDict

from alignsec.outcome import BudgetVerdicts, Passes


class Evaluation(BaseModel):
    """The verdicts so far, and how far that is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: int
    clean_passes: Passes
    budgets: tuple[BudgetVerdicts, ...]
    steps_done: int = 0
    steps: int
    """One step is one component on one batch at one budget."""
    undecided: int
    """Verdicts, images times budgets, that a later step could still change."""
    passes_left: int
    """Forward passes to the end if every undecided image stays robust: the most it can take."""
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every image has its verdict at every budget."""
        return self.steps_done == self.steps
