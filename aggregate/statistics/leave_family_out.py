"""Leave one family out: whether a correlation rests on one architecture family alone."""

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
    """A correlation without one family. A number that cannot be given is None, and `note` says why."""

    left_out: str
    left_out_models: int
    n: int
    """Models that remain."""
    spearman_r: float | None = None
    spearman_p: float | None = None
    slope: float | None = None
    note: str = ""


COLUMNS = [field.name for kind in (ScoreBudget, FamilyOmission) for field in fields(kind)]
NUMBERS = ["spearman_r", "spearman_p", "slope"]


def leave_families_out(table: pd.DataFrame, scores: Scores | None, family: Mapping[str, str]) -> pd.DataFrame:
    """One row per attack, budget, aggregate score and family that is left out.

    family: of each model. Where all models are of one family, nothing remains, and the note says so.
    """
    found = pd.DataFrame(list(_answers(table, scores, family)) if scores else [], columns=COLUMNS)
    return found.astype(dict.fromkeys(NUMBERS, "float64"))


def _answers(table: pd.DataFrame, scores: Scores, family: Mapping[str, str]) -> Iterator[dict[str, object]]:
    for question, both in correlation.iter_score_budgets(table, scores, scores.summaries):
        of = both["model"].map(lambda model: family.get(model, "")).to_numpy(dtype=str)
        alignment, robust, _ = correlation.extract_arrays(both)
        for name in sorted({*of} - {""}):
            rest = of != name
            yield {**asdict(question), **asdict(_without(name, alignment[rest], robust[rest], len(of)))}


def _without(name: str, alignment: Floats, robust: Floats, models: int) -> FamilyOmission:
    n = len(alignment)
    if n == 0:
        return FamilyOmission(name, models, n, note="every model is of this family")
    if why := correlation.check_computable(alignment, robust):
        return FamilyOmission(name, models - n, n, note=why)
    r, p = correlation.compute_spearman(alignment, robust)
    return FamilyOmission(name, models - n, n, r, p, float(stats.linregress(alignment, robust).slope))
