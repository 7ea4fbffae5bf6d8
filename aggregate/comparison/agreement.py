"""Agreement of two runs: changed verdicts image by image, and the settings that differ."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aggregate.comparison.runs import BudgetResult, PairKey, PairResult, Run
from aggregate.statistics import mcnemar
from alignsec.errors import ConfigErrors
from alignsec.spec.verdicts import MENDED, ROBUST, UNAUDITED, WRONG, broken_letters

VERDICTS = ("robust", "broken", "wrong", "mended")
"""Verdicts of an image, regardless of the component that broke it. A mended image is wrong when clean and right
when corrupted."""
UNKNOWN_BREAKER = "?"
"""Letter of an image that another tool calls broken without naming a component."""
UNKNOWN_LABEL = -1
"""Label of an image whose label another tool does not state."""
_VERDICT = {
    ROBUST: 0, UNAUDITED: 0, **dict.fromkeys((*broken_letters(), UNKNOWN_BREAKER), 1), WRONG: 2, MENDED: 3
}  # fmt: skip
_NUMBER = np.zeros(128, dtype=np.int64)
for _letter, _number in _VERDICT.items():
    _NUMBER[ord(_letter)] = _number
Letters = npt.NDArray[np.uint8]
Difference = tuple[str, str, str]
"""Name of a setting and its values in A and in B."""


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """An image whose verdict in B differs from that in A."""

    image: str
    a: str
    """One of VERDICTS."""
    b: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """One model under one attack at one budget in both runs. Counts are images that both runs have."""

    model: str
    attack: str
    eps: str
    name: str
    """Name of the attack in the study; for a corruption it includes the severity."""
    images: int
    only_in_a: int
    """Number of images that B does not have; they are not compared."""
    only_in_b: int
    counts: Counter[tuple[str, str]]
    """Number of images by verdict in A and in B."""
    other_component: int
    """Number of images that different components broke in A and in B."""
    other_label: int
    """Number of images with different labels."""
    only_robust_a: int
    only_robust_b: int
    p: float
    """p value of McNemar's exact test for equal robust accuracy in both runs."""
    changes: tuple[VerdictChange, ...]
    differs: tuple[str, ...]
    """Names of the settings that differ."""

    @property
    def robust_a(self) -> int:
        """Number of images that are right under the attack in A, including mended ones."""
        return sum(number for (a, _), number in self.counts.items() if a in {"robust", "mended"})

    @property
    def robust_b(self) -> int:
        """Number of images that are right under the attack in B, including mended ones."""
        return self.robust_a - self.only_robust_a + self.only_robust_b


@dataclass
class Comparison:
    """The comparison of two runs."""

    a: Run
    b: Run
    rows: list[Agreement] = field(default_factory=list)
    pairs: int = 0
    """Number of compared pairs of model and attack."""
    differences: dict[Difference, list[PairKey]] = field(default_factory=dict)
    """Pairs by the setting in which they differ."""
    unmatched: list[tuple[PairKey, str, str]] = field(default_factory=list)
    """Results that cannot be compared: model and attack, the run that has them, and the reason."""

    @property
    def images(self) -> int:
        """Number of compared verdicts."""
        return sum(row.images for row in self.rows)

    @property
    def changed(self) -> int:
        """Number of verdicts that differ."""
        return sum(len(row.changes) for row in self.rows)


def compare_runs(a: Run, b: Run) -> Comparison:
    """Compare two runs.

    Raises:
        ConfigErrors: The runs have no pair, budget and image in common.
    """
    comparison = Comparison(a, b)
    for key, result in a.results.items():
        other = b.results.get(key)
        if other is None:
            comparison.unmatched.append((key, "A", b.not_ok.get(key, "not in its plan")))
        else:
            _compare_pair(comparison, key, result, other)
    comparison.unmatched += [
        (key, "B", a.not_ok.get(key, "not in its plan")) for key in b.results if key not in a.results
    ]
    if not comparison.rows:
        raise ConfigErrors.about(b.root, _describe_mismatch(a, b))
    return comparison


def _compare_pair(comparison: Comparison, key: PairKey, a: PairResult, b: PairResult) -> None:
    """Add the rows and differences of one pair to the comparison."""
    differences = {
        (name, a.settings.get(name, "none"), b.settings.get(name, "none"))
        # Another tool's file has no settings.
        for name in (a.settings | b.settings if a.settings and b.settings else {})
        if a.settings.get(name, "none") != b.settings.get(name, "none")
    }
    rows = list(_compare_budgets(key, a, b, tuple(sorted(name for name, _, _ in differences))))
    comparison.rows += rows
    comparison.unmatched += [
        (key, run, f"has no budget {budget.eps}, or none of its images")
        for run, (here, there) in zip("AB", ((a, b), (b, a)), strict=True)
        for eps, budget in here.budgets.items()
        if eps not in there.budgets or not set(here.images) & set(there.images)
    ]
    if rows:
        comparison.pairs += 1
        if labels := rows[-1].other_label:
            differences.add(("labels", "–", f"another for {labels} of them"))
        for difference in sorted(differences):
            comparison.differences.setdefault(difference, []).append(key)


def _describe_mismatch(a: Run, b: Run) -> str:
    common = len(a.results.keys() & b.results.keys())
    but = ", but none of these the same budget and images" if common else ""
    return (
        f"has nothing in common with {a.root}: of {len(a.results)} and {len(b.results)} pairs that are ok, "
        f"{common} have the same model and attack names{but}; compare runs of one study"
    )


def _compare_budgets(key: PairKey, a: PairResult, b: PairResult, differs: tuple[str, ...]) -> Iterator[Agreement]:
    index = {name: at for at, name in enumerate(b.images)}
    at_a = [at for at, name in enumerate(a.images) if name in index]
    if not at_a:
        return
    names = [a.images[at] for at in at_a]
    at_b = [index[name] for name in names]
    pairs = ((a.labels[one], b.labels[other]) for one, other in zip(at_a, at_b, strict=True))
    labels = sum(one != other and UNKNOWN_LABEL not in (one, other) for one, other in pairs)
    for eps, budget in a.budgets.items():
        if eps in b.budgets:
            letters = _to_letters(budget)[at_a], _to_letters(b.budgets[eps])[at_b]
            yield _compare_verdicts(key, budget, names, *letters, (len(a.images), len(b.images), labels), differs)


def _to_letters(budget: BudgetResult) -> Letters:
    return np.frombuffer(budget.verdicts.encode("ascii"), dtype=np.uint8)


def _compare_verdicts(
    key: PairKey, budget: BudgetResult, names: list[str], letters_a: Letters, letters_b: Letters,
    numbers: tuple[int, int, int], differs: tuple[str, ...],
) -> Agreement:  # fmt: skip
    images_a, images_b, labels = numbers
    a, b = _NUMBER[letters_a], _NUMBER[letters_b]
    known = (letters_a != ord(UNKNOWN_BREAKER)) & (letters_b != ord(UNKNOWN_BREAKER))
    confusion = np.bincount(a * len(VERDICTS) + b, minlength=len(VERDICTS) ** 2).reshape(len(VERDICTS), -1)
    right_a, right_b = (np.isin(verdict, [_VERDICT[ROBUST], _VERDICT[MENDED]]) for verdict in (a, b))
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return Agreement(
        model=key[0],
        attack=budget.attack,
        eps=budget.eps,
        name=key[1],
        images=len(names),
        only_in_a=images_a - len(names),
        only_in_b=images_b - len(names),
        counts=Counter(
            {(x, y): int(confusion[i, j]) for i, x in enumerate(VERDICTS) for j, y in enumerate(VERDICTS)}
        ),
        other_component=int(((a == b) & (letters_a != letters_b) & known).sum()),
        other_label=labels,
        only_robust_a=only_a,
        only_robust_b=only_b,
        p=float(mcnemar.compute_p(only_a, only_b)),
        changes=tuple(VerdictChange(names[at], VERDICTS[a[at]], VERDICTS[b[at]]) for at in np.flatnonzero(a != b)),
        differs=(*differs, *(["labels"] if labels else [])),
    )
