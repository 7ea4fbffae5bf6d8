"""A small simulated study: models in families, verdicts on shared images, and scores."""

from typing import Any

import numpy as np
import pandas as pd

from aggregate.scores.scores import ScoreColumn, Scores
from aggregate.statistics.networks import Networks

EPS = {"0.5/255": (0.5 / 255, 0.4), "1/255": (1 / 255, 0.9)}
"""Budgets: value, and how much harder they are than clean images."""


def simulated_study(effect: float, seed: int = 1, models: int = 60, images: int = 200, families: int = 25) -> Any:
    """Return table, scores, networks and robust bits of a study.

    Args:
        effect: Weight of the neural score in robust accuracy given clean accuracy; clean accuracy has weight 1.
        seed: Seed.
        models: Number of models.
        images: Number of images.
        families: Number of families.
    """
    rng = np.random.default_rng(seed)
    names = [f"m{at:02d}" for at in range(models)]
    family = rng.integers(families, size=models)
    ability, neural, behaviour = rng.normal(size=(3, models))
    benchmarks = {
        **{f"neural-{at}": ability + neural + 0.5 * rng.normal(size=models) for at in range(6)},
        **{f"behaviour-{at}": ability + behaviour + 0.5 * rng.normal(size=models) for at in range(4)},
    }
    columns = [
        ScoreColumn("average_vision", "average", ""),
        *(ScoreColumn(n, "benchmark", f"{'neural' if n[0] == 'n' else 'behavior'}_vision") for n in benchmarks),
    ]
    average = np.mean(list(benchmarks.values()), axis=0)
    values = {"average_vision": average, **benchmarks}
    rows = {name: {key: float(value[at]) for key, value in values.items()} for at, name in enumerate(names)}
    latent = 0.6 * rng.normal(size=images) + 0.8 * rng.normal(size=(models, images))
    clean = latent < (1 + 0.3 * ability)[:, None]
    table, robust = [], {}
    strength = 0.3 * ability + 0.3 * effect * neural + 0.1 * rng.normal(size=models)
    for eps, (value, harder) in EPS.items():
        right = clean & (latent < (1 - harder + strength)[:, None])
        for at, name in enumerate(names):
            robust[name, "aa", eps] = np.packbits(right[at])
            table.append((name, "aa", "Linf", eps, value, images, clean[at].mean(), right[at].mean()))
    header = ["model", "attack", "norm", "eps", "eps_value", "images", "clean_accuracy", "robust_accuracy"]
    networks = Networks(
        {name: f"f{family[at]}" for at, name in enumerate(names)},
        {},
        {name: np.packbits(clean[at]) for at, name in enumerate(names)},
    )
    return pd.DataFrame(table, columns=header), Scores(tuple(columns), rows), networks, robust
