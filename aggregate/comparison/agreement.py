"""Agreement: two runs held against each other, image by image, and what was different where they do not agree."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aggregate.comparison.runs import BudgetResult, PairKey, PairResult, Run
from aggregate.statistics import mcnemar
from alignsec.errors import ConfigErrors
from alignsec.spec.verdicts import MENDED, ROBUST, WRONG, broken_letters

VERDICTS = ("robust", "broken", "wrong", "mended")
"""What can be said of an image; by which component it was broken is no verdict. mended: wrong when clean and right
when corrupted."""
_VERDICT = {ROBUST: 0, **dict.fromkeys(broken_letters(), 1), WRONG: 2, MENDED: 3}
_NUMBER = np.zeros(128, dtype=np.int64)
for _letter, _number in _VERDICT.items():
    _NUMBER[ord(_letter)] = _number
Letters = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """An image whose verdict is another in B."""

    image: str
    a: str
    """One of VERDICTS."""
    b: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """One model under one attack at one budget, in both runs. Counts are images that both runs have."""

    model: str
    attack: str
    eps: str
    name: str
    """The attack's own name, which for a corruption has its severity."""
    images: int
    only_in_a: int
    """Images that B does not have; they are not compared."""
    only_in_b: int
    counts: Counter[tuple[str, str]]
    """By the verdicts in A and B."""
    other_component: int
    """Broken in both, by another component."""
    other_label: int
    """Images whose label is not the same."""
    only_robust_a: int
    only_robust_b: int
    p: float
    """McNemar's exact p: that as many robust images more or fewer would be chance."""
    changes: tuple[VerdictChange, ...]
    differs: tuple[str, ...]
    """The names of the facts that are not the same."""

    @property
    def robust_a(self) -> int:
        """Images that are right under the attack in A; mended ones are."""
        return sum(number for (a, _), number in self.counts.items() if a in {"robust", "mended"})

    @property
    def robust_b(self) -> int:
        """Likewise in B."""
        return self.robust_a - self.only_robust_a + self.only_robust_b


@dataclass
class Comparison:
    """Two runs."""

    a: Run
    b: Run
    rows: list[Agreement] = field(default_factory=list)
    pairs: int = 0
    """Models and attacks that are compared."""
    differences: dict[tuple[str, str, str], list[PairKey]] = field(default_factory=dict)
    """By the name of a fact and what it is in A and in B: the pairs."""
    alone: list[tuple[PairKey, str, str]] = field(default_factory=list)
    """What cannot be compared: model and attack, the run that has it, and why the other does not."""

    @property
    def images(self) -> int:
        """Verdicts that are compared."""
        return sum(row.images for row in self.rows)

    @property
    def changed(self) -> int:
        """Verdicts that are not the same."""
        return sum(len(row.changes) for row in self.rows)


def compare_runs(a: Run, b: Run) -> Comparison:
    """Hold two runs against each other. Raises Mistakes if no model and attack at one budget is in both."""
    found = Comparison(a, b)
    for key, one in a.answers.items():
        other = b.answers.get(key)
        if other is None:
            found.alone.append((key, "A", b.others.get(key, "not in its plan")))
            continue
        before = len(found.rows)
        differences = {
            (name, one.facts.get(name, "none"), other.facts.get(name, "none"))
            for name in one.facts | other.facts
            if one.facts.get(name, "none") != other.facts.get(name, "none")
        }
        found.rows += _rows(key, one, other, tuple(sorted(name for name, _, _ in differences)))
        found.alone += [
            (key, "AB"[at], f"has no budget {level.eps}, or none of its images")
            for at, (here, there) in enumerate(((one, other), (other, one)))
            for eps, level in here.levels.items()
            if eps not in there.levels or not set(here.images) & set(there.images)
        ]
        if len(found.rows) > before:
            found.pairs += 1
            if labels := found.rows[-1].other_label:
                differences.add(("labels", "–", f"another for {labels} of them"))
            for difference in sorted(differences):
                found.differences.setdefault(difference, []).append(key)
    found.alone += [(key, "B", a.others.get(key, "not in its plan")) for key in b.answers if key not in a.answers]
    if not found.rows:
        same = len(a.answers.keys() & b.answers.keys())
        but = ", but none of these the same budget and images" if same else ""
        remedy = (
            f"has nothing in common with {a.root}: of {len(a.answers)} and {len(b.answers)} pairs that are ok, "
            f"{same} have the same model and attack names{but}; compare runs of one study"
        )
        raise ConfigErrors.about(b.root, remedy)
    return found


def _rows(key: PairKey, a: PairResult, b: PairResult, differs: tuple[str, ...]) -> Iterator[Agreement]:
    places = {name: at for at, name in enumerate(b.images)}
    at_a = [at for at, name in enumerate(a.images) if name in places]
    if not at_a:
        return
    at_b = [places[a.images[at]] for at in at_a]
    labels = sum(a.labels[one] != b.labels[other] for one, other in zip(at_a, at_b, strict=True))
    names = [a.images[at] for at in at_a]
    for eps, level in a.levels.items():
        if eps in b.levels:
            one, other = _letters(level)[at_a], _letters(b.levels[eps])[at_b]
            yield _row(key, level, names, one, other, (len(a.images), len(b.images), labels), differs)


def _letters(level: BudgetResult) -> Letters:
    return np.frombuffer(level.verdicts.encode("ascii"), dtype=np.uint8)


def _row(
    key: PairKey, level: BudgetResult, names: list[str], one: Letters, other: Letters,
    numbers: tuple[int, int, int], differs: tuple[str, ...],
) -> Agreement:  # fmt: skip
    in_a, in_b, labels = numbers
    a, b = _NUMBER[one], _NUMBER[other]
    confusion = np.bincount(a * len(VERDICTS) + b, minlength=len(VERDICTS) ** 2).reshape(len(VERDICTS), -1)
    right_a, right_b = (np.isin(verdict, [_VERDICT[ROBUST], _VERDICT[MENDED]]) for verdict in (a, b))
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return Agreement(
        model=key[0],
        attack=level.attack,
        eps=level.eps,
        name=key[1],
        images=len(names),
        only_in_a=in_a - len(names),
        only_in_b=in_b - len(names),
        counts=Counter(
            {(x, y): int(confusion[i, j]) for i, x in enumerate(VERDICTS) for j, y in enumerate(VERDICTS)}
        ),
        other_component=int(((a == b) & (one != other)).sum()),
        other_label=labels,
        only_robust_a=only_a,
        only_robust_b=only_b,
        p=float(mcnemar.compute_p(only_a, only_b)),
        changes=tuple(VerdictChange(names[at], VERDICTS[a[at]], VERDICTS[b[at]]) for at in np.flatnonzero(a != b)),
        differs=(*differs, *(["labels"] if labels else [])),
    )
