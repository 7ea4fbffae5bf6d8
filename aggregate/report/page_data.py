"""Page data: the numbers that the report's script shows on request, a page a model and the chart's points."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from aggregate import formatting
from aggregate.collect.tally import PairState, Tally
from aggregate.figures import breakage, style
from aggregate.scores.labels import score_label
from aggregate.scores.scores import Scores
from alignsec.spec.pair import File, PairModel

_FIT = ("n", "spearman_r", "spearman_low", "spearman_high", "spearman_p", "spearman_q", "partial_r", "partial_q",
        "r2", "slope", "intercept", "note")  # fmt: skip
_DIGITS = 5
"""Significant digits: more than any chart or table of the page shows."""

Json = dict[str, Any]


def build_page_data(
    models: Mapping[str, PairModel], order: Sequence[str], tally: Tally, table: pd.DataFrame,
    correlations: pd.DataFrame, scores: Scores | None,
) -> Json:  # fmt: skip
    """All of it, as values that JSON has; a number that is not known is null."""
    budgets = list(table.groupby(["attack", "eps", "method"], sort=False))
    counted = table[table["pair"] != ""]  # not means over corruptions
    verdicts = _verdicts(counted)
    pairs: dict[str, list[PairState]] = {}
    for pair in tally.pairs:
        pairs.setdefault(pair.model, []).append(pair)
    return {
        "models": list(order),
        "clean": _by_model(table, "clean_accuracy", order),
        "budgets": [
            {
                "attack": attack,
                "eps": eps,
                "label": f"{attack}, {formatting.format_budget(eps, method)}" if method != "clean" else attack,
                "clean": method == "clean",
                "robust": _by_model(rows, "robust_accuracy", order),
            }
            for (attack, eps, method), rows in budgets
        ],
        "scores": _scores(order, correlations, scores, [(attack, eps) for (attack, eps, _), _ in budgets]),
        "parts": [part for part in style.verdict_colours() if part in breakage.list_verdicts(counted)],
        "pages": [_page(models[name], pairs.get(name, []), verdicts.get(name, [])) for name in order],
    }


def _by_model(rows: pd.DataFrame, column: str, order: Sequence[str]) -> list[float | None]:
    found = rows.drop_duplicates("model").set_index("model")[column]
    return [_number(found.get(name)) for name in order]


def _scores(
    order: Sequence[str], correlations: pd.DataFrame, scores: Scores | None, budgets: list[tuple[str, str]]
) -> list[Json]:
    if scores is None:
        return []
    fits = {(row.attack, row.eps, row.score): row for row in correlations.itertuples()}
    return [
        {
            "name": column.label,
            "group": score_label(column.category) if column.level == "benchmark" else "",
            "values": [_number(scores.rows.get(name, {}).get(column.name)) for name in order],
            "fits": [_fit(fits.get((*budget, column.name))) for budget in budgets],
        }
        for column in scores.columns
    ]


def _fit(row: Any) -> Json | None:  # noqa: ANN401 # a row of itertuples has no name of its own
    if row is None:
        return None
    found = {name: getattr(row, name) for name in _FIT}
    # Nothing where nothing is known: most of a page's bytes would be nulls.
    known = {name: value if name in {"n", "note"} else _number(value) for name, value in found.items()}
    return {name: value for name, value in known.items() if value not in (None, "")}


def _page(model: PairModel, pairs: list[PairState], verdicts: list[Json]) -> Json:
    files = {verdict["pair"]: verdict["sha256"] for verdict in verdicts}
    return {
        "about": _about(model),
        "verdicts": [{key: value for key, value in v.items() if key != "sha256"} for v in verdicts],
        "pairs": [
            {key: value for key, value in _pair(pair, files.get(pair.id, "")).items() if value} for pair in pairs
        ],
    }


def _pair(pair: PairState, sha256: str) -> Json:
    return {
        "attack": pair.attack, "state": pair.state, "reason": pair.reason, "id": pair.id, "sha256": sha256,
        "host": pair.host, "device": pair.device, "precision": pair.precision, "code": pair.code,
        "container": pair.container, "started": pair.started, "tries": pair.tries, "evictions": pair.evictions,
        "holds": pair.holds, "seconds": "" if pair.seconds is None else formatting.duration(pair.seconds),
    }  # fmt: skip


def _about(model: PairModel) -> list[list[str]]:
    size, crop = model.preprocessing.input_size, model.preprocessing
    means = ", ".join(f"{value:g}" for value in crop.mean), ", ".join(f"{value:g}" for value in crop.std)
    published, filtered = model.published, "" if crop.antialias else " without antialiasing"
    lines = [
        ("Source", model.source),
        ("Options", ", ".join(f"{key} = {value}" for key, value in model.options.items())),
        ("Weights", _file(model.weights) or "made by the network’s own code"),
        ("Code", _file(model.code)),
        ("Input", "×".join(str(side) for side in size)),
        ("Resizing", f"{crop.interpolation}{filtered}, crop {crop.crop_pct:g} {crop.crop_mode}"),
        ("Normalisation", f"mean {means[0]}; std {means[1]}"),
        ("Published", f"{formatting.percent(published.top1)} clean top-1 {published.where}" if published else ""),
    ]
    return [[term, text] for term, text in lines if text]


def _file(file: File | None) -> str:
    return f"{file.name}, SHA-256 {file.sha256}" if file else ""


def _verdicts(table: pd.DataFrame) -> dict[str, list[Json]]:
    """By model, in the table's order."""
    counts = breakage.count_verdicts(table)
    found: dict[str, list[Json]] = {}
    for at, row in enumerate(table.itertuples()):
        parts = {part: int(count[at]) for part, count in counts.items() if count[at]}
        found.setdefault(row.model, []).append({
            "attack": row.attack,
            "budget": formatting.format_budget(row.eps, row.method),
            "images": int(row.images),
            "accuracy": formatting.percent(row.robust_accuracy),
            "interval": formatting.ends(row.robust_low, row.robust_high),
            "parts": parts,
            "rejected": int(row.rejected),
            "distance": f"{row.largest_distance:.4g}",
            "seconds": formatting.duration(row.seconds),
            "forward": formatting.count(row.forward_passes),
            "backward": formatting.count(row.backward_passes),
            "deviations": row.deviations,
            "pair": row.pair,
            "sha256": row.outcome_sha256,
        })  # fmt: skip
    return found


def _number(value: Any) -> float | None:  # noqa: ANN401 - a frame's cells have no type
    """A float of few digits, or None for what is missing or no number in JSON."""
    if value is None or pd.isna(value) or not math.isfinite(float(value)):
        return None
    return float(f"{float(value):.{_DIGITS}g}")
