"""The data of the page's scripts: the chart's points and the pages of single models, as JSON."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from aggregate import formatting
from aggregate.collect.tally import PairRow, Tally
from aggregate.figures import breakage, style
from aggregate.scores.labels import score_label
from aggregate.scores.scores import Scores
from alignsec.spec.pair import File, PairModel

_FIT = ("n", "spearman_r", "spearman_low", "spearman_high", "spearman_p", "spearman_q", "partial_r", "partial_q",
        "r2", "slope", "intercept", "note")  # fmt: skip
_DIGITS = 5
"""Significant digits of numbers, more than any chart or table of the page shows."""

Json = dict[str, Any]


def build_page_data(
    models: Mapping[str, PairModel], order: Sequence[str], tally: Tally, table: pd.DataFrame,
    correlations: pd.DataFrame, scores: Scores | None,
) -> Json:  # fmt: skip
    """Build the data of the page's scripts.

    Args:
        models: The models of the plan by name.
        order: Names of the models in the order of the matrix.
        tally: Outcomes of the run.
        table: Rows of table.csv.
        correlations: Rows of correlations.csv.
        scores: Alignment scores, or None if the study has none.

    Returns:
        Values that JSON can represent. Unknown numbers are None. Lists of one value per model are in `order`.
    """
    budgets = list(table.groupby(["attack", "eps", "method"], sort=False))
    counted = table[table["pair"] != ""]  # without means over corruptions
    results = _build_results(counted)
    pairs: dict[str, list[PairRow]] = {}
    for pair in tally.pairs:
        pairs.setdefault(pair.model, []).append(pair)
    return {
        "models": list(order),
        "clean": _list_by_model(table, "clean_accuracy", order),
        "budgets": [
            {
                "attack": attack,
                "eps": eps,
                "label": f"{attack}, {formatting.format_budget(eps, method)}" if method != "clean" else attack,
                "clean": method == "clean",
                "robust": _list_by_model(rows, "robust_accuracy", order),
            }
            for (attack, eps, method), rows in budgets
        ],
        "scores": _build_scores(order, correlations, scores, [(attack, eps) for (attack, eps, _), _ in budgets]),
        "verdicts": [verdict for verdict in style.verdict_colours() if verdict in breakage.list_verdicts(counted)],
        "pages": [_build_page(models[name], pairs.get(name, []), results.get(name, [])) for name in order],
    }


def _list_by_model(rows: pd.DataFrame, column: str, order: Sequence[str]) -> list[float | None]:
    values = rows.drop_duplicates("model").set_index("model")[column]
    return [_round(values.get(name)) for name in order]


def _build_scores(
    order: Sequence[str], correlations: pd.DataFrame, scores: Scores | None, budgets: list[tuple[str, str]]
) -> list[Json]:
    if scores is None:
        return []
    fits = {(row.attack, row.eps, row.score): row for row in correlations.itertuples()}
    return [
        {
            "name": column.label,
            "group": score_label(column.category) if column.level == "benchmark" else "",
            "values": [_round(scores.rows.get(name, {}).get(column.name)) for name in order],
            "fits": [_build_fit(fits.get((*budget, column.name))) for budget in budgets],
        }
        for column in scores.columns
    ]


def _build_fit(row: Any) -> Json | None:  # noqa: ANN401 # rows of itertuples have no type
    if row is None:
        return None
    values = {name: getattr(row, name) for name in _FIT}
    # Unknown values are left out: null would be most of the page's bytes.
    known = {name: value if name in {"n", "note"} else _round(value) for name, value in values.items()}
    return {name: value for name, value in known.items() if value not in (None, "")}


def _build_page(model: PairModel, pairs: list[PairRow], results: list[Json]) -> Json:
    outcome_files = {result["pair"]: result["sha256"] for result in results}
    return {
        "about": _describe_model(model),
        "results": [{key: value for key, value in result.items() if key != "sha256"} for result in results],
        "pairs": [
            {key: value for key, value in _build_pair(pair, outcome_files.get(pair.id, "")).items() if value}
            for pair in pairs
        ],
    }


def _build_pair(pair: PairRow, sha256: str) -> Json:
    return {
        "attack": pair.attack, "state": pair.state, "reason": pair.reason, "id": pair.id, "sha256": sha256,
        "host": pair.host, "device": pair.device, "precision": pair.precision, "code": pair.code,
        "container": pair.container, "started": pair.started, "holds": pair.holds,
        "jobs": f"{pair.tries}, evictions: {pair.evictions}" if pair.tries else "",
        "seconds": "" if pair.seconds is None else formatting.format_duration(pair.seconds),
    }  # fmt: skip


def _describe_model(model: PairModel) -> list[list[str]]:
    """Return pairs of a term and a text: source, weights, preprocessing, published accuracy."""
    preprocessing, published = model.preprocessing, model.published
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (preprocessing.mean, preprocessing.std))
    antialias = "" if preprocessing.antialias else " without antialiasing"
    crop = f"crop {preprocessing.crop_pct:g} {preprocessing.crop_mode}"
    lines = [
        ("Source", model.source),
        ("Options", ", ".join(f"{key} = {value}" for key, value in model.options.items())),
        ("Weights", _describe_file(model.weights) or "created by the model’s code"),
        ("Code", _describe_file(model.code)),
        ("Input", "×".join(str(side) for side in preprocessing.input_size)),
        ("Resizing", f"{preprocessing.interpolation}{antialias}, {crop}"),
        ("Normalisation", f"mean {mean}; std {std}"),
        (
            "Published accuracy",
            f"{formatting.format_percent(published.top1)} clean top-1 {published.where}" if published else "",
        ),
    ]
    return [[term, text] for term, text in lines if text]


def _describe_file(file: File | None) -> str:
    return f"{file.name}, SHA-256 {file.sha256}" if file else ""


def _build_results(table: pd.DataFrame) -> dict[str, list[Json]]:
    """Return the results of each model, one per budget, in the order of the table."""
    counts = breakage.count_verdicts(table)
    results: dict[str, list[Json]] = {}
    for at, row in enumerate(table.itertuples()):
        results.setdefault(row.model, []).append({
            "attack": row.attack,
            "budget": formatting.format_budget(row.eps, row.method),
            "images": int(row.images),
            "accuracy": formatting.format_percent(row.robust_accuracy),
            "interval": formatting.format_interval(row.robust_low, row.robust_high),
            "verdicts": {verdict: int(count[at]) for verdict, count in counts.items() if count[at]},
            "rejected": int(row.rejected),
            "distance": f"{row.largest_distance:.4g}",
            "seconds": formatting.format_duration(row.seconds),
            "forward": formatting.format_count(row.forward_passes),
            "backward": formatting.format_count(row.backward_passes),
            "deviations": row.deviations,
            "pair": row.pair,
            "sha256": row.outcome_sha256,
        })  # fmt: skip
    return results


def _round(value: Any) -> float | None:  # noqa: ANN401 # cells of a frame have no type
    """Return a float rounded to `_DIGITS` digits, or None for a missing or infinite value."""
    if value is None or pd.isna(value) or not math.isfinite(float(value)):
        return None
    return float(f"{float(value):.{_DIGITS}g}")
