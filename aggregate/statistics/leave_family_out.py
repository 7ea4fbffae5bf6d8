"""Leave-one-family-out: correlations without one architecture family, to see if one family drives them."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields

import pandas as pd
from scipy import stats

from aggregate.scores.scores import Scores
from aggregate.statistics import correlation
from aggregate.statistics.arrays import Floats
from aggregate.statistics.correlation import ScoreBudget


@dataclass(frozen=True)
class FamilyOmission:
    """A correlation without one family. A number that cannot be computed is None, and `note` gives the reason."""

    left_out: str
    """The family."""
    left_out_models: int
    n: int
    """Number of remaining models."""
    spearman_r: float | None = None
    spearman_p: float | None = None
    slope: float | None = None
    note: str = ""


COLUMNS = [field.name for kind in (ScoreBudget, FamilyOmission) for field in fields(kind)]
NUMBERS = ["spearman_r", "spearman_p", "slope"]


def leave_families_out(table: pd.DataFrame, scores: Scores | None, family: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per attack, budget, aggregate score and omitted family.

    If all models are of one family, no model remains, and the note says so.

    Args:
        table: Columns model, attack, norm, eps, eps_value, robust_accuracy and clean_accuracy.
        scores: The alignment scores; None gives an empty table.
        family: Architecture family of each model.
    """
    frame = pd.DataFrame(list(_compute_rows(table, scores, family)) if scores else [], columns=COLUMNS)
    return frame.astype(dict.fromkeys(NUMBERS, "float64"))


def _compute_rows(table: pd.DataFrame, scores: Scores, family: Mapping[str, str]) -> Iterator[dict[str, object]]:
    for key, joined in correlation.iter_score_budgets(table, scores, scores.summaries):
        families = joined["model"].map(lambda model: family.get(model, "")).to_numpy(dtype=str)
        alignment, robust, _ = correlation.extract_arrays(joined)
        for name in sorted({*families} - {""}):
            rest = families != name
            omission = _correlate_rest(name, alignment[rest], robust[rest], len(families))
            yield {**asdict(key), **asdict(omission)}


def _correlate_rest(name: str, alignment: Floats, robust: Floats, models: int) -> FamilyOmission:
    n = len(alignment)
    if n == 0:
        return FamilyOmission(name, models, n, note="every model is of this family")
    if reason := correlation.check_computable(alignment, robust):
        return FamilyOmission(name, models - n, n, note=reason)
    r, p = correlation.compute_spearman(alignment, robust)
    return FamilyOmission(name, models - n, n, r, p, float(stats.linregress(alignment, robust).slope))
