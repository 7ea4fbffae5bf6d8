"""The account: a comparison in words and as tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from aggregate.comparison.agreement import VERDICTS, Agreement, Comparison
from aggregate.formatting import count, counted, listed, percent
from aggregate.report.page import render_page
from aggregate.statistics import multiple_testing

NAMED = 5
"""Things that a sentence names before it only counts them."""
_MEANS = {
    "code": "another version of alignsec ran",
    "container": "another image: its libraries may be others",
    "weights": "another network",
    "the model": "another network",
    "preprocessing": "the network is shown other pixels",
    "images": "another pack: images of one name are compared; whether they look the same is not recorded here",
    "corrupted images": "another pack of corrupted images",
    "attack": "another attack",
    "seed": "other random starts",
    "precision": "other rounding: images close to a budget may fall on its other side",
    "device": "other kernels round otherwise: images close to a budget may fall on its other side",
    "version of": "other code or kernels: images close to a budget may fall on its other side",
    "labels": "what is right is another class",
}
"""What it does to verdicts, by how the fact's name begins."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that is not the same in the two runs."""

    name: str
    a: str
    b: str
    pairs: str
    """How many, and which where they are few."""
    changed: int
    """Verdicts that changed in these pairs."""
    means: str


def list_differences(found: Comparison) -> list[Difference]:
    """What differs between the runs, what concerns most pairs first."""
    changed: dict[tuple[str, str], int] = {}
    for row in found.rows:
        changed[row.model, row.name] = changed.get((row.model, row.name), 0) + len(row.changes)
    told = [
        (
            len(keys),
            Difference(
                name,
                shorten_digest(a),
                shorten_digest(b),
                f"all {count(len(keys))}"
                if len(keys) == found.pairs
                else _some([" × ".join(key) for key in keys]),
                sum(changed[key] for key in keys),
                explain_setting(name),
            ),
        )
        for (name, a, b), keys in found.differences.items()
    ]
    return [one for _, one in sorted(told, key=lambda item: (-item[0], item[1].name, item[1].a, item[1].b))]


def explain_setting(fact: str) -> str:
    """What another value of a fact does to verdicts."""
    return next((text for start, text in _MEANS.items() if fact.startswith(start)), "")


def shorten_digest(value: str) -> str:
    """A digest by its first twelve digits, anything else as it is."""
    return value[:12] if len(value) == 64 and not value.strip("0123456789abcdef") else value


def _some(names: Sequence[str]) -> str:
    if len(names) <= NAMED:
        return listed(names)
    return f"{count(len(names))}, such as {listed(names[: NAMED - 2])}"


def summarize_agreement(found: Comparison) -> str:
    """The one sentence."""
    rows = [row for row in found.rows if row.changes]
    where = f"{counted(found.pairs, 'pair')} of a model and an attack, {counted(len(found.rows), 'budget')}"
    if not rows:
        return f"All {count(found.images)} verdicts agree ({where})."
    share = percent(found.changed / found.images)
    return (
        f"{count(found.changed)} of {count(found.images)} verdicts differ ({share}), at "
        f"{count(len(rows))} of {counted(len(found.rows), 'budget')} ({where})."
    )


def describe_findings(found: Comparison) -> Iterator[str]:
    """What else there is to say, a sentence each."""
    moves: dict[tuple[str, str], int] = {}
    for row in found.rows:
        for move, number in row.counts.items():
            if move[0] != move[1] and number:
                moves[move] = moves.get(move, 0) + number
    if moves:
        most = sorted(moves.items(), key=lambda item: (-item[1], item[0]))
        yield "From A to B: " + "; ".join(f"{count(number)} {a} → {b}" for (a, b), number in most) + "."
    if other := sum(row.other_component for row in found.rows):
        yield f"{count(other)} more are broken in both, by another component of the attack."
    unexplained = sorted({(row.model, row.name) for row in found.rows if row.changes and not row.differs})
    if unexplained:
        where = _some([" × ".join(key) for key in unexplained])
        yield (
            f"Nothing that is recorded differs, and yet verdicts do, for {where}"
            ": kernels that add in another order each time, or something that outcomes do not record."
        )
    if labels := sum(row.other_label for row in found.rows):
        yield f"Another label in B: {counted(labels, 'image')}, counted at each budget."
    alone = [(row.only_in_a, row.only_in_b) for row in found.rows if row.only_in_a or row.only_in_b]
    if alone:
        in_a, in_b = (max(numbers) for numbers in zip(*alone, strict=True))
        left = [f"{count(most)} that only {run} has" for most, run in ((in_a, "A"), (in_b, "B")) if most]
        yield (
            f"The runs are of different images, which are matched by name: up to {listed(left)} are left out, at "
            f"{count(len(alone))} of {counted(len(found.rows), 'budget')}."
        )
    if found.alone:
        yield f"{counted(len(found.alone), 'answer')} of one run cannot be compared; why is told below."
    if neither := len(found.a.others.keys() & found.b.others.keys()):
        yield f"{counted(neither, 'pair')} of both plans are ok in neither run."
    for letter, run in (("A", found.a), ("B", found.b)):
        if run.stale:
            yield f"{letter} holds {counted(run.stale, 'outcome')} that its study no longer asks for; left out."


def describe_changes(row: Agreement) -> str:
    """How the verdicts of one row changed, in words."""
    return ", ".join(f"{n:,} {a} → {b}" for (a, b), n in row.counts.most_common() if n and a != b)


def make_agreement_table(found: Comparison) -> pd.DataFrame:
    """A row per model, attack and budget; q is p corrected over the models of an attack and budget."""
    moves = [(a, b) for a in VERDICTS for b in VERDICTS if a != b]
    columns = {
        "model": [row.model for row in found.rows],
        "attack": [row.attack for row in found.rows],
        "eps": [row.eps for row in found.rows],
        **{
            name: [getattr(row, name) for row in found.rows]
            for name in ("images", "only_in_a", "only_in_b", "other_label")
        },
        "same": [row.images - len(row.changes) for row in found.rows],
        "changed": [len(row.changes) for row in found.rows],
        **{f"{a}_to_{b}": [row.counts[a, b] for row in found.rows] for a, b in moves},
        **{
            name: [getattr(row, name) for row in found.rows]
            for name in ("other_component", "robust_a", "robust_b", "only_robust_a", "only_robust_b", "p")
        },
    }
    made = pd.DataFrame(columns)
    made["q"] = multiple_testing.adjust_p(made, "p", ["attack", "eps"])
    made["differs"] = ["; ".join(row.differs) for row in found.rows]
    return made


def make_image_table(found: Comparison) -> pd.DataFrame:
    """A row per image whose verdict changed."""
    rows = [
        (row.model, row.attack, row.eps, change.image, change.a, change.b)
        for row in found.rows
        for change in row.changes
    ]
    return pd.DataFrame(rows, columns=["model", "attack", "eps", "image", "verdict_a", "verdict_b"])


ROWS, ALONE, LISTS, NAMES = 300, 200, 50, 100
"""The most that the page shows: rows of the table, answers of one run, lists of images, images in a list."""


def render_comparison(found: Comparison) -> bytes:
    """The page. Names are escaped wherever they stand."""
    rows = sorted(found.rows, key=lambda row: -len(row.changes))
    changed = [row for row in rows if row.changes]
    values = {
        "found": found,
        "verdict": summarize_agreement(found),
        "findings": list(describe_findings(found)),
        "differences": list_differences(found),
        "rows": [(row, describe_changes(row)) for row in rows[:ROWS]],
        "changed": changed,
        "lists": changed[:LISTS],
        "most": {"rows": ROWS, "alone": ALONE, "names": NAMES},
    }
    return render_page("compare.html", values)
