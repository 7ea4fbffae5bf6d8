"""Ledger: the adversarial images that were found, and what the searches cost, by budget and component."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from alignsec.engine.search import Search
from alignsec.evaluation.evaluation import AdversarialImage, Evaluation
from alignsec.spec.budget import Budget
from alignsec.spec.verdicts import BudgetVerdicts, Passes

Account = tuple[int, str]
"""A budget, as an index, and the name of a component."""
# Read for every search in every pass: a Python loop would cost as much time as a small model.
_account = attrgetter("account")


@dataclass
class Ledger:
    """Results and costs so far. Budgets are indices. Passes are counted in images."""

    forward: Counter[Account] = field(default_factory=Counter)
    backward: Counter[Account] = field(default_factory=Counter)
    seconds: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    rejected: Counter[int] = field(default_factory=Counter)
    """Images whose claims the judge rejected, by budget."""
    adversarial_images: list[AdversarialImage] = field(default_factory=list)

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation) -> "Ledger":
        """Return the ledger that gave an evaluation its numbers."""
        ledger = cls(adversarial_images=list(evaluation.adversarial_images))
        for index, budget in enumerate(evaluation.budgets):
            ledger.seconds[index] = budget.seconds
            ledger.rejected[index] = budget.rejected
            for component, passes in budget.passes.items():
                ledger.forward[index, component] = passes.forward
                ledger.backward[index, component] = passes.backward
        return ledger

    def charge(self, searches: Sequence[Search], backward: bool) -> Counter[Account]:
        """Count one pass for each search.

        Args:
            searches: Searches of the pass.
            backward: True if the pass computed gradients.

        Returns:
            The passes of each account.
        """
        accounts = Counter[Account](map(_account, searches))
        self.forward.update(accounts)
        if backward:
            self.backward.update(accounts)
        return accounts

    def add_seconds(self, seconds: float, passes: Counter[int]) -> None:
        """Distribute time over the budgets in proportion to their passes."""
        total = passes.total()
        for budget, count in passes.items():
            self.seconds[budget] += seconds * count / total

    def budget_verdicts(
        self, budgets: tuple[Budget, ...], verdicts: list[list[str]]
    ) -> tuple[BudgetVerdicts, ...]:
        """Return what an outcome holds for each budget.

        Args:
            budgets: The budgets in ascending order.
            verdicts: Verdict letters by budget and image.
        """
        return tuple(
            BudgetVerdicts(
                eps=eps,
                verdicts="".join(verdicts[index]),
                largest_distance=max(
                    (one.distance for one in self.adversarial_images if one.budget == index), default=0
                ),
                rejected=self.rejected[index],
                seconds=self.seconds[index],
                passes={
                    component: Passes(forward=count, backward=self.backward[index, component])
                    for (budget, component), count in self.forward.items()
                    if budget == index
                },
            )
            for index, eps in enumerate(budgets)
        )
