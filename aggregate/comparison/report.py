"""The report of a comparison: sentences, tables and the HTML page."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from aggregate.comparison.agreement import VERDICTS, Agreement, Comparison
from aggregate.formatting import format_count, format_percent, format_quantity, join_list
from aggregate.report.page import render_page
from aggregate.statistics import multiple_testing

MAX_NAMED = 5
"""Names that a sentence lists; it counts a longer list and names a few."""
MAX_ROWS, MAX_UNMATCHED, MAX_LISTS, MAX_IMAGES = 300, 200, 50, 100
"""Limits of the page: rows of the table, unmatched results, lists of images, and images in a list."""
_EXPLANATIONS = {
    "code": "another version of alignsec ran",
    "container": "another container image, which may contain other library versions",
    "weights": "another network",
    "the model": "another network",
    "preprocessing": "the network receives other pixels",
    "images": "another pack; images are compared by name, and outcomes do not record their pixels",
    "corrupted images": "another pack of corrupted images",
    "attack": "another attack",
    "seed": "other random starts",
    "precision": "other rounding: images close to a budget may get another verdict",
    "device": "other kernels round differently: images close to a budget may get another verdict",
    "version of": "other code or kernels: images close to a budget may get another verdict",
    "labels": "another class is the right one",
}
"""Effect of a setting on verdicts, by the start of the setting's name."""


@dataclass(frozen=True, slots=True)
class SettingDifference:
    """One setting that differs between the two runs."""

    name: str
    a: str
    b: str
    pairs: str
    """Number of pairs that differ, and their names if they are few."""
    changed: int
    """Number of changed verdicts in these pairs."""
    means: str
    """Effect of the setting on verdicts."""


def list_differences(comparison: Comparison) -> list[SettingDifference]:
    """Return the settings that differ, those that concern most pairs first."""
    changed: Counter[tuple[str, str]] = Counter()
    for row in comparison.rows:
        changed[row.model, row.name] += len(row.changes)
    differences = [
        (
            len(keys),
            SettingDifference(
                name,
                shorten_digest(a),
                shorten_digest(b),
                f"all {format_count(len(keys))}"
                if len(keys) == comparison.pairs
                else _list_names([" × ".join(key) for key in keys]),
                sum(changed[key] for key in keys),
                explain_setting(name),
            ),
        )
        for (name, a, b), keys in comparison.differences.items()
    ]
    return [one for _, one in sorted(differences, key=lambda item: (-item[0], item[1].name, item[1].a, item[1].b))]


def explain_setting(name: str) -> str:
    """Return the effect that another value of a setting has on verdicts; empty if unknown."""
    return next((text for start, text in _EXPLANATIONS.items() if name.startswith(start)), "")


def shorten_digest(value: str) -> str:
    """Return the first twelve digits of a SHA-256 digest, and any other value unchanged."""
    return value[:12] if len(value) == 64 and not value.strip("0123456789abcdef") else value


def _list_names(names: Sequence[str]) -> str:
    if len(names) <= MAX_NAMED:
        return join_list(names)
    return f"{format_count(len(names))}, such as {join_list(names[: MAX_NAMED - 2])}"


def summarize_agreement(comparison: Comparison) -> str:
    """Return one sentence with the number of verdicts that agree or differ."""
    rows = [row for row in comparison.rows if row.changes]
    budgets = format_quantity(len(comparison.rows), "budget")
    where = f"{format_quantity(comparison.pairs, 'pair')} of a model and an attack, {budgets}"
    if not rows:
        return f"All {format_count(comparison.images)} verdicts agree ({where})."
    share = format_percent(comparison.changed / comparison.images)
    return (
        f"{format_count(comparison.changed)} of {format_count(comparison.images)} verdicts differ ({share}), at "
        f"{format_count(len(rows))} of {budgets} ({where})."
    )


def describe_findings(comparison: Comparison) -> Iterator[str]:
    """Yield further findings, one sentence each."""
    yield from _describe_moves(comparison)
    yield from _describe_unexplained(comparison)
    if labels := sum(row.other_label for row in comparison.rows):
        yield f"Another label in B: {format_quantity(labels, 'image')}, counted at each budget."
    yield from _describe_images(comparison)
    if comparison.unmatched:
        results = format_quantity(len(comparison.unmatched), "result")
        yield f"{results} of one run cannot be compared; see the reasons below."
    if neither := len(comparison.a.not_ok.keys() & comparison.b.not_ok.keys()):
        yield f"{format_quantity(neither, 'pair')} of both plans are ok in neither run."
    for letter, run in (("A", comparison.a), ("B", comparison.b)):
        if run.damaged:
            named = [f"{' × '.join(key)}: {reason}" for key, reason in sorted(run.damaged.items())]
            files = format_quantity(len(named), "damaged outcome file")
            yield f"{letter} has {files}, left out: {_list_names(named)}; to replace them, run {letter} again."
        if run.stale:
            outcomes = format_quantity(run.stale, "outcome")
            yield f"{letter} has {outcomes} that its plan does not contain; left out."


def _describe_moves(comparison: Comparison) -> Iterator[str]:
    moves: Counter[tuple[str, str]] = Counter()
    for row in comparison.rows:
        moves.update({move: number for move, number in row.counts.items() if move[0] != move[1] and number})
    if moves:
        most = sorted(moves.items(), key=lambda item: (-item[1], item[0]))
        yield "From A to B: " + "; ".join(f"{format_count(number)} {a} → {b}" for (a, b), number in most) + "."
    if other := sum(row.other_component for row in comparison.rows):
        yield f"{format_count(other)} more are broken in both, by another component of the attack."


def _describe_unexplained(comparison: Comparison) -> Iterator[str]:
    unexplained = sorted({(row.model, row.name) for row in comparison.rows if row.changes and not row.differs})
    if unexplained:
        where = _list_names([" × ".join(key) for key in unexplained])
        yield (
            f"Verdicts differ although no recorded setting differs, for {where}. Possible causes: kernels that "
            "add in another order each time, or a setting that outcomes do not record."
        )


def _describe_images(comparison: Comparison) -> Iterator[str]:
    partly = [row for row in comparison.rows if row.only_in_a or row.only_in_b]
    if partly:
        most = (("A", max(row.only_in_a for row in partly)), ("B", max(row.only_in_b for row in partly)))
        left_out = [f"{format_count(number)} that only {run} has" for run, number in most if number]
        yield (
            f"The runs have different images, which are matched by name: up to {join_list(left_out)} are left out "
            f"at {format_count(len(partly))} of {format_quantity(len(comparison.rows), 'budget')}."
        )


def describe_changes(row: Agreement) -> str:
    """Return the changes of verdicts of one row, such as "3 robust → broken"."""
    return ", ".join(f"{n:,} {a} → {b}" for (a, b), n in row.counts.most_common() if n and a != b)


def make_agreement_table(comparison: Comparison) -> pd.DataFrame:
    """Return one row per model, attack and budget: compare.csv.

    The column q is p corrected over the models of an attack and budget.
    """
    rows = comparison.rows
    moves = [(a, b) for a in VERDICTS for b in VERDICTS if a != b]
    before = ("model", "attack", "eps", "images", "only_in_a", "only_in_b", "other_label")
    after = ("other_component", "robust_a", "robust_b", "only_robust_a", "only_robust_b", "p")
    table = pd.DataFrame(
        {
            **{name: [getattr(row, name) for row in rows] for name in before},
            "same": [row.images - len(row.changes) for row in rows],
            "changed": [len(row.changes) for row in rows],
            **{f"{a}_to_{b}": [row.counts[a, b] for row in rows] for a, b in moves},
            **{name: [getattr(row, name) for row in rows] for name in after},
        }
    )
    table["q"] = multiple_testing.adjust_p(table, "p", ["attack", "eps"])
    table["differs"] = ["; ".join(row.differs) for row in rows]
    return table


def make_image_table(comparison: Comparison) -> pd.DataFrame:
    """Return one row per image with a changed verdict: images.csv."""
    rows = [
        (row.model, row.attack, row.eps, change.image, change.a, change.b)
        for row in comparison.rows
        for change in row.changes
    ]
    return pd.DataFrame(rows, columns=["model", "attack", "eps", "image", "verdict_a", "verdict_b"])


def render_comparison(comparison: Comparison) -> bytes:
    """Render the HTML page of a comparison; all names are escaped."""
    rows = sorted(comparison.rows, key=lambda row: -len(row.changes))
    changed = [row for row in rows if row.changes]
    values = {
        "comparison": comparison,
        "verdict": summarize_agreement(comparison),
        "findings": list(describe_findings(comparison)),
        "differences": list_differences(comparison),
        "rows": [(row, describe_changes(row)) for row in rows[:MAX_ROWS]],
        "changed": changed,
        "lists": changed[:MAX_LISTS],
        "most": {"rows": MAX_ROWS, "unmatched": MAX_UNMATCHED, "names": MAX_IMAGES},
    }
    return render_page("compare.html", values)
