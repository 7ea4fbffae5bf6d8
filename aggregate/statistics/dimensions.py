"""Dimensions of the scores: principal components and metric types, and their relation to robust accuracy.

The neural and behavioural benchmarks are standardised. A missing score counts as the mean in the components, and
is left out of the means of metric types.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd

from aggregate.scores.hierarchy import CATEGORIES
from aggregate.scores.metric_types import find_metric_type
from aggregate.scores.scores import Scores
from aggregate.statistics.adjusted_correlations import GIVEN_CLEAN
from aggregate.statistics.arrays import Bits, Floats
from aggregate.statistics.budget_networks import Budget, BudgetNetworks, iter_budgets
from aggregate.statistics.components import find_components, metric_type_means, standardise
from aggregate.statistics.family_correlation import Adjusted, correlate_all
from aggregate.statistics.familywise import familywise_p
from aggregate.statistics.networks import Networks

COMPONENTS = 5
COMPONENT, METRIC_TYPE = "component", "metric type"


@dataclass(frozen=True)
class Dimension:
    """One dimension at one budget; the fields of `Adjusted` follow in the table.

    Attributes:
        kind: "component" or "metric type".
        name: Number of the component, or the type of the metric, such as "pls".
        benchmarks: Number of benchmarks that it summarises.
        variance: Share of the variance of the standardised scores that a component explains.
        given: What the correlation is adjusted for: empty or "clean accuracy".
        p_familywise: p value adjusted for all dimensions of one kind at one budget.
    """

    attack: str
    norm: str
    eps: str
    eps_value: float
    kind: str
    name: str
    benchmarks: int
    variance: float
    given: str
    p_familywise: float


COLUMNS = [field.name for kind in (Dimension, Adjusted) for field in fields(kind)]
NUMBERS = ["variance", "p_familywise", "effective_models", "r", "low", "high", "p"]
LOADINGS = ["component", "benchmark", "category", "metric_type", "n", "loading"]


def find_dimensions(
    table: pd.DataFrame,
    scores: Scores | None,
    networks: Networks,
    robust: Mapping[tuple[str, str, str], Bits],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the dimensions at each budget, and the loadings of the benchmarks on the components.

    Args:
        table: Columns model, attack, norm, eps, eps_value, images, robust_accuracy and clean_accuracy.
        scores: The scores; None gives empty tables.
        networks: Facts about the models.
        robust: Packed bits of the robust images, by model, attack and eps.

    Returns:
        Dimensions, and loadings at the first budget: the correlation of a benchmark with a component over the
        networks that have the benchmark, largest first.
    """
    rows: list[dict[str, object]] = []
    loadings = pd.DataFrame(columns=LOADINGS)
    if scores is not None:
        for _, part in table[table["robust_accuracy"].notna()].groupby("attack", sort=False):
            for budget, found in iter_budgets(part, networks, robust):
                names, values = found.named_benchmarks(scores, CATEGORIES[:2])
                if values.shape[1] < 2:
                    continue
                rows.extend(_at_budget(budget, found, names, values))
                if loadings.empty:
                    loadings = _find_loadings(scores, names, values)
    return (
        pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, "float64")),
        loadings.astype({"loading": "float64"}),
    )


def _at_budget(
    budget: Budget, found: BudgetNetworks, names: list[str], values: Floats
) -> Iterator[dict[str, object]]:
    standard = standardise(values)
    components, variance = find_components(standard)
    count = min(COMPONENTS, components.shape[1])
    types = metric_type_means(names, standard)
    sizes = {kind: sum(find_metric_type(name) == kind for name in names) for kind in types}
    facts = [(COMPONENT, str(at + 1), len(names), float(variance[at])) for at in range(count)]
    facts += [(METRIC_TYPE, kind, sizes[kind], np.nan) for kind in types]
    together = np.column_stack([components[:, :count], *types.values()])
    for given, measured in (("", found.without_clean()), (GIVEN_CLEAN, found.measured)):
        results, sums = correlate_all(together, measured)
        p = np.concatenate([familywise_p(sums[:, :count]), familywise_p(sums[:, count:])])
        for fact, result, familywise in zip(facts, results, p, strict=True):
            yield {**asdict(Dimension(*budget, *fact, given, float(familywise))), **asdict(result)}


def _find_loadings(scores: Scores, names: list[str], values: Floats) -> pd.DataFrame:
    category = {column.name: column.category for column in scores.columns}
    components, _ = find_components(standardise(values))
    rows = []
    for at in range(min(COMPONENTS, components.shape[1])):
        for name, score in zip(names, values.T, strict=True):
            known = np.isfinite(score)
            varies = np.ptp(score[known]) > 0 and np.ptp(components[known, at]) > 0
            loading = float(np.corrcoef(score[known], components[known, at])[0, 1]) if varies else np.nan
            rows.append((str(at + 1), name, category[name], find_metric_type(name), int(known.sum()), loading))
    frame = pd.DataFrame(rows, columns=LOADINGS)
    order = frame.assign(size=-frame["loading"].abs()).sort_values(["component", "size"], kind="stable").index
    return frame.loc[order].reset_index(drop=True)
