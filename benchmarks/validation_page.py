"""The page docs/validation.md and its figure, from the rows of benchmarks/results/validation.json."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, PICTURE = DOCS / "validation.md", DOCS / "validation.png"
BEFORE, AFTER = "#b9bdc6", "#0072b2"
_INTRODUCTION = """# Validation: error rates of the analysis

`make validate` simulates studies with a known answer and runs the analysis on them. This page is generated from
`benchmarks/results/validation.json`.

A simulated study has 144 models in families as unequal as the leaderboard's, clean and robust accuracies
counted on images that all models share, an average, two categories and 105 benchmarks. Under a *null*,
scores follow clean accuracy and add nothing to it. Under an *effect*, a third of the benchmarks is related
to robust accuracy given clean accuracy; r is the resulting correlation of the average. *icc* is the
correlation within a family. *before* is the earlier analysis: partial Spearman correlations given measured
clean accuracy, Benjamini-Hochberg per level, and a bootstrap over models.

"""
_TARGETS = """
Targets: a claim in at most 5 % of the null studies, and coverage of 93 to 97 %. The standard error of a share p
after k repetitions is sqrt(p(1 - p)/k). Coverage is that of the 95 % interval of the average: given clean accuracy
now, of Spearman's r before.

![Claims, coverage and power before and now](validation.png)
"""


def write_page(rows: Sequence[dict[str, Any]]) -> None:
    """Write the page and the figure.

    Args:
        rows: Rows of validation.json.
    """
    nulls = [row for row in rows if "null" in row]
    effects = [row for row in rows if "effect" in row]
    text = _INTRODUCTION
    text += _table(
        ["null", "images", "icc", "studies", "any claim", "before", "coverage", "before"],
        [
            [row["null"], row["images"], row["icc"], row["repetitions"]]
            + [_percent(row[name]) for name in ("any_claim", "any_claim_before", "coverage", "coverage_before")]
            for row in nulls
        ],
    )
    text += "\n" + _table(
        ["effect", "images", "r", "studies", "power", "before", "coverage", "before"],
        [
            [row["effect"], row["images"], f"{row['r']:.2f}", row["repetitions"]]
            + [_percent(row[name]) for name in ("power", "power_before", "coverage", "coverage_before")]
            for row in effects
        ],
    )
    text += (
        "\nPower is the share of studies whose summary claims a relation of the average. The power before is not\n"
        "comparable: its claims have no known error rate.\n"
    )
    PAGE.write_text(text + _list_notes(rows) + _TARGETS, encoding="utf-8")
    _draw(nulls, effects)


def _list_notes(rows: Sequence[dict[str, Any]]) -> str:
    """Return one line per different note of the rows, with the cases that it is about."""
    cases: dict[str, list[str]] = {}
    for row in rows:
        if note := row.get("note"):
            cases.setdefault(note, []).append(row.get("null") or row["effect"])
    lines = (textwrap.fill(f"*{'; '.join(names)}*: {note}", 110) for note, names in cases.items())
    return "".join(f"\n{line}\n" for line in lines)


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _draw(nulls: Sequence[dict[str, Any]], effects: Sequence[dict[str, Any]]) -> None:
    figure = Figure(figsize=(9, 3.6), layout="constrained", dpi=130)
    axes = figure.subplots(1, 3)
    _bars(axes[0], nulls, "null", "any_claim", "Claims in null studies")
    axes[0].axvline(0.05, color="#d55e00", linewidth=1)
    _bars(axes[1], [*nulls, *effects], "null", "coverage", "Coverage")
    axes[1].axvline(0.95, color="#d55e00", linewidth=1)
    axes[1].set_xlim(0.5, 1)
    _bars(axes[2], effects, "effect", "power", "Power")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=7, frameon=False)
    figure.savefig(PICTURE, metadata={"Software": None})


def _bars(axes: Axes, rows: Sequence[dict[str, Any]], kind: str, name: str, title: str) -> None:
    places = range(len(rows))
    axes.barh(
        [at - 0.2 for at in places], [row[f"{name}_before"] for row in rows], 0.38, color=BEFORE, label="before"
    )
    axes.barh([at + 0.2 for at in places], [row[name] for row in rows], 0.38, color=AFTER, label="now")
    axes.set_yticks(list(places), [row.get(kind) or row.get("effect") for row in rows], fontsize=6)
    axes.invert_yaxis()
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
