"""The mean over corruptions: accuracy over all types and severities of a study, each counted alike.

What papers on ImageNet-C report beside the mean corruption error (Hendrycks & Dietterich 2019, arXiv 1903.12261),
without that one's division by AlexNet's errors: one number a model, of models that have met every type and
severity of the study, and of no other, as a mean over fewer would be another measure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from operator import attrgetter

import pandas as pd

from aggregate.collect.table import Row, exact_interval
from aggregate.collect.tally import PairState
from aggregate.formatting import counted
from alignsec.run.plan import Plan
from alignsec.spec.level import find_kind, join_labels
from alignsec.spec.pair import Pair

ATTACK = "mean over corruptions"
"""What tables and figures call it."""
_NAMED = 3


@dataclass(frozen=True)
class CorruptionMean:
    """One model over all corruptions. A number that cannot be given is None, and `note` says why."""

    model: str
    types: int
    settings: int
    """Types times severities, as the study asks for them of this model."""
    answered: int
    """Of them, those whose pair is ok."""
    severities: str
    """Of the study, such as "severity 1, 3, 5"."""
    images: int | None = None
    """Of every setting; the fewest, where they differ."""
    clean_accuracy: float | None = None
    mean_accuracy: float | None = None
    """The mean over settings of the share of all images that are right when corrupted."""
    low: float | None = None
    """The ends of the exact 95 % interval of a share of so many images: a mean over settings varies less."""
    high: float | None = None
    note: str = ""


COLUMNS = [field.name for field in fields(CorruptionMean)]
_SHARES = ("clean_accuracy", "mean_accuracy", "low", "high")


def average_corruptions(plan: Plan, pairs: Sequence[PairState], table: pd.DataFrame) -> pd.DataFrame:
    """One row a model of the plan; none where the plan has fewer than two types of corruption."""
    asked = [pair for pair in plan if pair.attack.level_kind == "severity"]
    found = []
    if len({pair.attack.series for pair in asked}) > 1:
        by_model: dict[str, list[Pair]] = {}
        for pair in asked:
            by_model.setdefault(pair.model.name, []).append(pair)
        why = {pair.id: pair.state for pair in pairs if pair.state != "ok"}
        answered = dict(iter(table[table["method"].map(find_kind) == "severity"].groupby("model", sort=False)))
        none = table.iloc[:0]
        found = [_mean(model, of, why, answered.get(model, none)) for model, of in by_model.items()]
    frame = pd.DataFrame([asdict(mean) for mean in found], columns=COLUMNS)
    return frame.astype(dict.fromkeys(_SHARES, "float64") | {"images": "Int64"})


def _mean(model: str, asked: list[Pair], why: Mapping[str, str], rows: pd.DataFrame) -> CorruptionMean:
    levels = sorted({pair.attack.level(pair.attack.budgets[0]) for pair in asked}, key=attrgetter("value"))
    severities = join_labels([level.label for level in levels])
    types, known = len({pair.attack.series for pair in asked}), rows[rows["robust_accuracy"].notna()]
    first = model, types, len(asked), len(known), severities
    absent = [
        f"{pair.attack.name} ({why.get(pair.id, 'no images')})"
        for pair in asked
        if pair.id not in {*known["pair"]}
    ]
    if absent:
        more = f" and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
        return CorruptionMean(
            *first, note=f"{counted(len(absent), 'setting')} missing: {', '.join(absent[:_NAMED])}{more}"
        )
    images = int(known["images"].min())
    mean = float(sum(Fraction(row.robust, row.images) for row in known.itertuples()) / len(known))
    return CorruptionMean(
        *first, images, float(known["clean_accuracy"].iloc[0]), mean, *exact_interval(round(mean * images), images)
    )


def append_means(table: pd.DataFrame, means: pd.DataFrame) -> pd.DataFrame:
    """The table with a row for each mean that could be given; whatever is not of a mean is missing there.

    Its budget is all severities, and their mean stands for eps_value.
    """
    rows = list(_rows(table, means[means["mean_accuracy"].notna()]))
    if not rows:
        return table
    counts = {name: "Int64" for name, kind in table.dtypes.items() if kind == "int64"}
    more = pd.DataFrame(rows, columns=table.columns)
    return pd.concat([table.astype(counts), more.astype(table.dtypes.to_dict() | counts)], ignore_index=True)


def _rows(table: pd.DataFrame, means: pd.DataFrame) -> Iterator[dict[str, object]]:
    corrupted = table[table["method"].map(find_kind) == "severity"]
    severity = corrupted.groupby("model")["eps_value"].mean()
    kept = ["model", "method", *(field.name for field in fields(Row) if field.name.startswith("clean_"))]
    of_model = corrupted.drop_duplicates("model").set_index("model", drop=False)[kept]
    for mean in means.itertuples():
        yield of_model.loc[mean.model].to_dict() | {
            "attack": ATTACK, "norm": "", "eps": mean.severities, "eps_value": severity[mean.model],
            "corruption": "", "images": mean.images, "robust_accuracy": mean.mean_accuracy,
            "robust_low": mean.low, "robust_high": mean.high, "deviations": "", "pair": "", "outcome_sha256": "",
        }  # fmt: skip
