"""t-SNE: models in two dimensions by their benchmark scores alone, coloured by robust accuracy."""

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
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.scores.scores import Scores

KIND = FigureKind(
    name="landscape",
    title="Models by benchmark scores (t-SNE)",
    description=(
        "Each point is a model, placed by t-SNE of its benchmark scores alone and coloured by robust accuracy. "
        "Models near each other have similar scores; large distances and the axes have no meaning. Hollow: no "
        "robust accuracy."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.attacked, inputs.scores) if inputs.scores else (),
)
FEWEST = 12
"""Smallest number of models for which t-SNE is computed; neighbourhoods of fewer models mean nothing."""
EXACT = 400
"""Largest number of models for which t-SNE is exact; above it Barnes and Hut's approximation is used."""
SEED = 0
_SHADES = colormaps["viridis"]


@dataclass(frozen=True)
class Embedding:
    """Coordinates of models in two dimensions."""

    coordinates: pd.DataFrame
    """Indexed by model; columns x and y, without unit."""
    benchmarks: int
    """Number of benchmarks used."""
    imputed: float
    """Share of the scores that were missing and replaced by the mean of their benchmark."""
    perplexity: float


def embed_models(scores: Scores, models: list[str]) -> Embedding | None:
    """Compute t-SNE of the benchmark scores of models.

    Benchmarks that at least half of the models have are used, then models that have at least half of these
    benchmarks. A score that is still missing is replaced by the mean of its benchmark. Every benchmark is scaled
    to mean 0 and variance 1. t-SNE starts from the principal components, so the result depends only on the seed.

    Args:
        scores: Alignment scores.
        models: Names of models.

    Returns:
        The embedding, or None if fewer than `FEWEST` models or fewer than two benchmarks are left.

    Reference:
        van der Maaten and Hinton 2008, Visualizing data using t-SNE, JMLR 9.
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
    coordinates: npt.NDArray[np.float64] = TSNE(
        init="pca",
        perplexity=perplexity,
        random_state=SEED,
        method="exact" if len(wide) <= EXACT else "barnes_hut",
    ).fit_transform(standard)
    frame = pd.DataFrame(coordinates, index=wide.index, columns=["x", "y"])
    return Embedding(frame, wide.shape[1], imputed, perplexity)


def draw_panel(table: pd.DataFrame, axes: Axes) -> None:
    """Draw the models of one budget.

    Args:
        table: Columns x, y and robust_accuracy; a model without robust accuracy is drawn hollow.
        axes: Axes to draw into.
    """
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
    style.draw_colour_bar(axes, _SHADES, 0, high, "robust accuracy, %", percent=True)


def make_drawings(table: pd.DataFrame, scores: Scores) -> Iterator[Drawing]:
    """Make one drawing per attack, with one panel per budget; none if there are too few models."""
    embedding = embed_models(scores, list(dict.fromkeys(table["model"])))
    if embedding is None:
        return
    n = len(embedding.coordinates)
    method = "" if n <= EXACT else ", Barnes and Hut’s approximation"
    note = (
        f"n = {n} models, {embedding.benchmarks} benchmarks, perplexity {embedding.perplexity:.0f}, "
        f"seed {SEED}{method}. {100 * embedding.imputed:.1f} % of the scores were missing and were replaced by "
        "the mean of their benchmark."
    )
    for part in split.split_by_attack(table, KIND.name):
        panels = []
        for _, rows in part.rows.groupby("eps_value"):
            accuracy = rows.set_index("model")["robust_accuracy"]
            panels.append(Panel(
                f"{part.attack}, {split.format_budget_of(rows)}",
                partial(draw_panel, embedding.coordinates.assign(robust_accuracy=accuracy)),
                f"t-SNE of {n} models by their benchmark scores, coloured by robust accuracy under {part.attack} "
                f"at {split.format_budget_of(rows)}.",
            ))  # fmt: skip
        yield Drawing(
            kind=KIND,
            name=part.file_name,
            rows=tuple(tuple(panels[at : at + 3]) for at in range(0, len(panels), 3)),
            width=style.PAGE / 3,
            height=2.5,
            margins=Margins(left=0.08, right=0.12, bottom=0.08, top=0.34),
            note=note,
        )
