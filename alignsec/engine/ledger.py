"""The ledger: what was found and what it cost, by budget and component."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from alignsec.engine.search import Search
from alignsec.evaluation.evaluation import AdversarialImage, Evaluation
from alignsec.spec.budget import Budget
from alignsec.spec.verdicts import BudgetVerdicts, Passes

Account = tuple[int, str]
# Asked of every search at every pass: a loop of Python's would cost as much as a small model.
_account = attrgetter("account")


@dataclass
class Ledger:
    """Budgets are indices. Passes are counted in images."""

    forward: Counter[Account] = field(default_factory=Counter)
    backward: Counter[Account] = field(default_factory=Counter)
    seconds: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    rejected: Counter[int] = field(default_factory=Counter)
    adversarial_images: list[AdversarialImage] = field(default_factory=list)

    @classmethod
    def of(cls, known: Evaluation) -> "Ledger":
        """The ledger as it was."""
        ledger = cls(adversarial_images=list(known.adversarial_images))
        for index, budget in enumerate(known.budgets):
            ledger.seconds[index] = budget.seconds
            ledger.rejected[index] = budget.rejected
            for component, passes in budget.passes.items():
                ledger.forward[index, component] = passes.forward
                ledger.backward[index, component] = passes.backward
        return ledger

    def charge(self, searches: Sequence[Search], backward: bool) -> Counter[Account]:
        """One pass for each search. Returns whom they were charged to."""
        accounts = Counter[Account](map(_account, searches))
        self.forward.update(accounts)
        if backward:
            self.backward.update(accounts)
        return accounts

    def spend(self, seconds: float, passes: Counter[int]) -> None:
        """Share time out among budgets by their passes."""
        total = passes.total()
        for budget, count in passes.items():
            self.seconds[budget] += seconds * count / total

    def verdicts(self, budgets: tuple[Budget, ...], letters: list[list[str]]) -> tuple[BudgetVerdicts, ...]:
        """What an outcome says of each budget."""
        return tuple(
            BudgetVerdicts(
                eps=eps,
                verdicts="".join(letters[index]),
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
