"""The mean over corruptions: accuracy averaged over all corruption types and severities of a study.

Papers on ImageNet-C report this mean in addition to the mean corruption error. Unlike the latter, it does not
divide by AlexNet's errors. A model has a mean only if it was evaluated under every type and severity of the study,
because a mean over fewer settings is a different measure.

Reference: Hendrycks & Dietterich 2019, arXiv 1903.12261.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from operator import attrgetter

import pandas as pd

from aggregate.collect.table import Row, exact_interval
from aggregate.collect.tally import PairRow
from aggregate.formatting import format_quantity
from alignsec.run.plan import Plan
from alignsec.spec.level import find_kind, join_labels
from alignsec.spec.pair import Pair

ATTACK = "mean over corruptions"
"""Name of the mean in the column `attack` of tables and in figures."""
_MAX_NAMED = 3
"""Missing settings that a note names."""


@dataclass(frozen=True)
class CorruptionMean:
    """Mean of one model over all corruptions. A number that cannot be computed is None; `note` gives the
    reason."""

    model: str
    types: int
    settings: int
    """Number of planned settings of this model: types times severities."""
    answered: int
    """Number of settings whose pair is ok."""
    severities: str
    """Severities of the study, such as "severity 1, 3, 5"."""
    images: int | None = None
    """Number of images of each setting; the smallest if they differ."""
    clean_accuracy: float | None = None
    mean_accuracy: float | None = None
    """Mean over settings of the share of images that are right when corrupted."""
    low: float | None = None
    """Lower end of the exact 95 % interval of a share of this number of images. A mean over settings varies
    less."""
    high: float | None = None
    note: str = ""


COLUMNS = [field.name for field in fields(CorruptionMean)]
_SHARES = ("clean_accuracy", "mean_accuracy", "low", "high")


def average_corruptions(plan: Plan, pairs: Sequence[PairRow], table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per model of the plan; no row if the plan has fewer than two types of corruption.

    Args:
        plan: The plan of the run.
        pairs: The pairs of the run.
        table: The table of `aggregate.collect.table.make_frame`.
    """
    planned = [pair for pair in plan if pair.attack.level_kind == "severity"]
    means = []
    if len({pair.attack.series for pair in planned}) > 1:
        by_model: dict[str, list[Pair]] = {}
        for pair in planned:
            by_model.setdefault(pair.model.name, []).append(pair)
        states = {pair.id: pair.state for pair in pairs if pair.state != "ok"}
        answered = dict(iter(table[table["method"].map(find_kind) == "severity"].groupby("model", sort=False)))
        no_rows = table.iloc[:0]
        means = [
            _average_model(model, settings, states, answered.get(model, no_rows))
            for model, settings in by_model.items()
        ]
    frame = pd.DataFrame([asdict(mean) for mean in means], columns=COLUMNS)
    return frame.astype(dict.fromkeys(_SHARES, "float64") | {"images": "Int64"})


def _average_model(
    model: str, planned: list[Pair], states: Mapping[str, str], rows: pd.DataFrame
) -> CorruptionMean:
    levels = sorted({pair.attack.level(pair.attack.budgets[0]) for pair in planned}, key=attrgetter("value"))
    severities = join_labels([level.label for level in levels])
    types, known = len({pair.attack.series for pair in planned}), rows[rows["robust_accuracy"].notna()]
    first = model, types, len(planned), len(known), severities
    missing = [
        f"{pair.attack.name} ({states.get(pair.id, 'no images')})"
        for pair in planned
        if pair.id not in {*known["pair"]}
    ]
    if missing:
        more = f" and {len(missing) - _MAX_NAMED} more" if len(missing) > _MAX_NAMED else ""
        return CorruptionMean(
            *first,
            note=f"{format_quantity(len(missing), 'setting')} missing: {', '.join(missing[:_MAX_NAMED])}{more}",
        )
    images = int(known["images"].min())
    mean = float(sum(Fraction(row.robust, row.images) for row in known.itertuples()) / len(known))
    return CorruptionMean(
        *first, images, float(known["clean_accuracy"].iloc[0]), mean, *exact_interval(round(mean * images), images)
    )


def append_means(table: pd.DataFrame, means: pd.DataFrame) -> pd.DataFrame:
    """Return the table with one more row for each mean that is not missing.

    The column `eps` has all severities and `eps_value` their mean. Columns that do not apply to a mean are
    missing.

    Args:
        table: The table of `aggregate.collect.table.make_frame`.
        means: Result of `average_corruptions`.
    """
    rows = list(_make_rows(table, means[means["mean_accuracy"].notna()]))
    if not rows:
        return table
    counts = {name: "Int64" for name, kind in table.dtypes.items() if kind == "int64"}
    more = pd.DataFrame(rows, columns=table.columns)
    return pd.concat([table.astype(counts), more.astype(table.dtypes.to_dict() | counts)], ignore_index=True)


def _make_rows(table: pd.DataFrame, means: pd.DataFrame) -> Iterator[dict[str, object]]:
    corrupted = table[table["method"].map(find_kind) == "severity"]
    severity = corrupted.groupby("model")["eps_value"].mean()
    kept = ["model", "method", *(field.name for field in fields(Row) if field.name.startswith("clean_"))]
    by_name = corrupted.drop_duplicates("model").set_index("model", drop=False)[kept]
    for mean in means.itertuples():
        yield by_name.loc[mean.model].to_dict() | {
            "attack": ATTACK, "norm": "", "eps": mean.severities, "eps_value": severity[mean.model],
            "corruption": "", "images": mean.images, "robust_accuracy": mean.mean_accuracy,
            "robust_low": mean.low, "robust_high": mean.high, "deviations": "", "pair": "", "outcome_sha256": "",
        }  # fmt: skip
