"""Alignment scores of the demo's models, in the form of a Brain-Score leaderboard."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studies.demo.digits import Parts, resize_digits
from studies.demo.distortion import DISTORTIONS
from studies.demo.gabor import v1_energies
from studies.demo.observer import error_consistency, template_observer
from studies.demo.similarity import cka, rsa

COMMENT = (
    "# Computed by studies/demo on scikit-learn's digits for the demo's own networks; "
    "these are not scores of Brain-Score, only in its form"
)

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "neural_vision": ("GaborV1-rsa", "GaborV1-cka"),
    "behavior_vision": tuple(f"NearestTemplate-{name}-error_consistency" for name in DISTORTIONS),
    "engineering_vision": ("digits-top1", *(f"digits-{name}-top1" for name in DISTORTIONS)),
}
"""Each aggregate and its benchmarks, in the table's order. average_vision is the mean of the first two."""

_SEED = 0
_MEASURES = {"GaborV1-rsa": rsa, "GaborV1-cka": cka}


def score_network(network: nn.Module, parts: Parts, side: int) -> dict[str, float]:
    """Return every benchmark's score of a network that maps (n, 1, side, side) in [0, 1] to logits.

    All on digits the network has not learned from and that no attack will use.
    """
    images = resize_digits(parts.scoring.pixels, side)
    labels = parts.scoring.labels
    observer = template_observer(resize_digits(parts.training.pixels, side).numpy(), parts.training.labels)
    scores = {**v1_similarities(network, images), "digits-top1": float(_right(network, images, labels).mean())}
    for name, (distort, strengths) in DISTORTIONS.items():
        consistencies, accuracies = [], []
        for strength in strengths:
            hard = distort(images, strength, _SEED)
            ours = _right(network, hard, labels)
            theirs = observer.choose(hard.numpy()) == labels
            consistencies.append(error_consistency(ours, theirs))
            accuracies.append(float(ours.mean()))
        scores[f"NearestTemplate-{name}-error_consistency"] = fmean(consistencies)
        scores[f"digits-{name}-top1"] = fmean(accuracies)
    return scores


def v1_similarities(network: nn.Module, images: Tensor) -> dict[str, float]:
    """Return how alike the network's most V1-like layer and the Gabor model are, by each measure.

    The layer is chosen on the first half of the images and scored on the second, so that a network with many
    layers gains nothing from having many to choose from.
    """
    layers, target = layer_features(network, images), v1_energies(images)
    half = len(images) // 2
    scores = {}
    for name, measure in _MEASURES.items():
        chosen = {layer: measure(features[:half], target[:half]) for layer, features in layers.items()}
        best = max(chosen, key=lambda layer: -np.inf if np.isnan(chosen[layer]) else chosen[layer])
        scores[name] = measure(layers[best][half:], target[half:])
    return scores


def layer_features(network: nn.Module, images: Tensor) -> dict[str, NDArray[np.float32]]:
    """Return the output, (n, features), of each module up to three names deep that the images pass through."""
    features: dict[str, NDArray[np.float32]] = {}

    def keep(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim > 1 and len(output) == len(images):
                features[name] = output.flatten(1).numpy().copy()

        return hook

    handles = [
        module.register_forward_hook(keep(name))
        for name, module in network.named_modules()
        if name and name.count(".") < 3
    ]
    try:
        with torch.no_grad():
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    return features


def scores_text(rows: Iterable[tuple[str, Mapping[str, float]]]) -> str:
    """Return the table as text: a comment, the header, one row a model with 4 decimals, best average first.

    An aggregate is the mean of its benchmarks as they are written here.
    """
    header = ["Model", "average_vision"]
    for aggregate, benchmarks in COLUMNS.items():
        header += [aggregate, *benchmarks]
    lines = []
    for name, scores in rows:
        values = {benchmark: round(scores[benchmark], 4) for part in COLUMNS.values() for benchmark in part}
        for aggregate, benchmarks in COLUMNS.items():
            values[aggregate] = fmean(values[benchmark] for benchmark in benchmarks)
        values["average_vision"] = fmean((values["neural_vision"], values["behavior_vision"]))
        lines.append((values["average_vision"], [name, *(f"{values[column]:.4f}" for column in header[1:])]))
    text = io.StringIO()
    text.write(COMMENT + "\n")
    table = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    table.writerow(header)
    table.writerows(row for _, row in sorted(lines, reverse=True))
    return text.getvalue()


def _right(network: nn.Module, images: Tensor, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    with torch.no_grad():
        right: NDArray[np.bool_] = network(images).argmax(1).numpy() == labels
    return right
