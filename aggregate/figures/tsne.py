"""The landscape: models placed by their benchmark scores alone (t-SNE), coloured by robust accuracy."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from sklearn.manifold import TSNE

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, Margins, Panel
from aggregate.scores.scores import Scores

FEWEST = 12
"""Models below which no picture is made: neighbourhoods of so few say nothing."""
EXACT = 400
"""Models up to which t-SNE is exact; above, distances to far models are summed up (Barnes-Hut)."""
SEED = 0
_SHADES = colormaps["viridis"]


@dataclass(frozen=True)
class Landscape:
    """Where each model lies."""

    places: pd.DataFrame
    """Indexed by model; columns x and y, without a unit."""
    benchmarks: int
    imputed: float
    """Share of the scores that were missing and took the benchmark's mean."""
    perplexity: float


def lay(scores: Scores, models: list[str]) -> Landscape | None:
    """Place models by their benchmarks, or None where too few have enough of them.

    Benchmarks that half of the models have, then models that have half of those benchmarks; what is still
    missing takes the benchmark's mean; every benchmark to mean 0 and variance 1. t-SNE: van der Maaten &
    Hinton 2008, JMLR 9, started from the principal components, so that a seed gives one picture.
    """
    names = [column.name for column in scores.columns if column.level == "benchmark"]
    rows = {model: scores.rows[model] for model in models if model in scores.rows}
    values = {model: [row.get(name, np.nan) for name in names] for model, row in rows.items()}
    wide = pd.DataFrame.from_dict(values, orient="index", columns=names)
    wide = wide.loc[:, wide.notna().mean() >= 0.5]
    wide = wide[wide.notna().mean(axis=1) >= 0.5] if wide.shape[1] else wide.iloc[:0]
    wide = wide.loc[:, wide.std() > 0]
    if len(wide) < FEWEST or wide.shape[1] < 2:
        return None
    imputed = float(wide.isna().to_numpy().mean())
    filled = wide.fillna(wide.mean())
    standard = ((filled - filled.mean()) / filled.std()).to_numpy(dtype=np.float64)
    perplexity = min(30.0, (len(wide) - 1) / 3)
    found: npt.NDArray[np.float64] = TSNE(
        init="pca",
        perplexity=perplexity,
        random_state=SEED,
        method="exact" if len(wide) <= EXACT else "barnes_hut",
    ).fit_transform(standard)
    return Landscape(pd.DataFrame(found, index=wide.index, columns=["x", "y"]), wide.shape[1], imputed, perplexity)


def draw(table: pd.DataFrame, axes: Axes) -> None:
    """Draw one budget's rows: columns x, y and robust_accuracy; without a colour where that is unknown."""
    known = table[table["robust_accuracy"].notna()]
    unknown = table[table["robust_accuracy"].isna()]
    axes.scatter(unknown["x"], unknown["y"], s=14, facecolor="none", edgecolor=style.MUTED, linewidth=0.6)
    high = float(known["robust_accuracy"].max()) if len(known) else 1.0
    high = max(0.1, np.ceil(high * 10) / 10)
    axes.scatter(
        known["x"], known["y"], s=16, c=_SHADES(known["robust_accuracy"].to_numpy(dtype=np.float64) / high),
        edgecolor=style.MUTED, linewidth=0.4,
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[["top", "right"]].set_visible(True)
    axes.set_aspect("equal", adjustable="datalim")
    style.key(axes, _SHADES, 0, high, "robust accuracy, %", percent=True)


def drawings(table: pd.DataFrame, scores: Scores) -> Iterator[Drawing]:
    """One drawing an attack, one panel a budget; none where there are too few models."""
    land = lay(scores, list(dict.fromkeys(table["model"])))
    if land is None:
        return
    method = "" if len(land.places) <= EXACT else ", Barnes and Hut’s approximation"
    about = (
        f"Each point is a model, placed by t-SNE of its scores on {land.benchmarks} benchmarks alone "
        f"(n = {len(land.places)}, perplexity {land.perplexity:.0f}, seed {SEED}{method}; "
        f"{100 * land.imputed:.1f} % of the scores were missing and took the benchmark’s mean). "
        "Near models have like scores; distances far apart mean little, and so do the axes. "
        "Hollow: no robust accuracy."
    )
    for part in split.by_attack(table, "landscape"):
        panels = []
        for _, rows in part.rows.groupby("eps_value"):
            accuracy = rows.set_index("model")["robust_accuracy"]
            panels.append(Panel(
                f"{part.attack}, {split.budget(rows)}",
                partial(draw, land.places.assign(robust_accuracy=accuracy)),
                f"{len(land.places)} models placed by their benchmark scores and coloured by robust accuracy "
                f"under {part.attack} at {split.budget(rows)}.",
            ))  # fmt: skip
        yield Drawing(
            kind="landscape",
            name=part.name,
            title="Models by their benchmark scores",
            description=about,
            rows=tuple(tuple(panels[at : at + 3]) for at in range(0, len(panels), 3)),
            width=style.PAGE / 3,
            height=2.5,
            margins=Margins(left=0.08, right=0.12, bottom=0.08, top=0.34),
        )
