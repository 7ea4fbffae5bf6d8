"""Alignment scores of the demo's models, in the format of a Brain-Score leaderboard."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studies.demo.digits import Splits, resize_digits
from studies.demo.distortion import DISTORTIONS
from studies.demo.gabor import v1_energies
from studies.demo.observer import error_consistency, fit_template_observer
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
"""Benchmarks of each aggregate, in the table's order. average_vision is the mean of the first two aggregates."""

_SEED = 0
_MEASURES = {"GaborV1-rsa": rsa, "GaborV1-cka": cka}


def score_network(network: nn.Module, splits: Splits, side: int) -> dict[str, float]:
    """Return the score of a network on every benchmark.

    The scores use digits that are neither in the training part nor in the attacked part.

    Args:
        network: Maps images (n, 1, side, side) in [0, 1] to logits.
        splits: The three parts of the digits.
        side: Height and width of the network's input in pixels.
    """
    images = resize_digits(splits.scoring.pixels, side)
    labels = splits.scoring.labels
    observer = fit_template_observer(resize_digits(splits.training.pixels, side).numpy(), splits.training.labels)
    scores = {
        **v1_similarities(network, images),
        "digits-top1": float(_is_correct(network, images, labels).mean()),
    }
    for name, (distort, strengths) in DISTORTIONS.items():
        consistencies, accuracies = [], []
        for strength in strengths:
            distorted = distort(images, strength, _SEED)
            network_correct = _is_correct(network, distorted, labels)
            observer_correct = observer.classify(distorted.numpy()) == labels
            consistencies.append(error_consistency(network_correct, observer_correct))
            accuracies.append(float(network_correct.mean()))
        scores[f"NearestTemplate-{name}-error_consistency"] = fmean(consistencies)
        scores[f"digits-{name}-top1"] = fmean(accuracies)
    return scores


def v1_similarities(network: nn.Module, images: Tensor) -> dict[str, float]:
    """Return the similarity of the network's most V1-like layer to the Gabor model, by each measure.

    The layer is chosen on the first half of the images and scored on the second half. A network with many layers
    thus has no advantage from the choice.
    """
    layers, target = layer_features(network, images), v1_energies(images)
    half = len(images) // 2
    scores = {}
    for name, measure in _MEASURES.items():
        on_first_half = {layer: measure(features[:half], target[:half]) for layer, features in layers.items()}
        best = max(on_first_half, key=lambda layer: np.nan_to_num(on_first_half[layer], nan=-np.inf))
        scores[name] = measure(layers[best][half:], target[half:])
    return scores


def layer_features(network: nn.Module, images: Tensor) -> dict[str, NDArray[np.float32]]:
    """Return the output (n, features) of each module that processes the images, up to a depth of three names."""
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


def format_scores(rows: Iterable[tuple[str, Mapping[str, float]]]) -> str:
    """Return the table as CSV text: a comment, the header, and one row per model, highest average first.

    Scores have 4 decimals. An aggregate is the mean of its rounded benchmarks.
    """
    header = ["Model", "average_vision"]
    for aggregate, benchmarks in COLUMNS.items():
        header += [aggregate, *benchmarks]
    lines = []
    for model, scores in rows:
        values = {
            benchmark: round(scores[benchmark], 4) for benchmarks in COLUMNS.values() for benchmark in benchmarks
        }
        for aggregate, benchmarks in COLUMNS.items():
            values[aggregate] = fmean(values[benchmark] for benchmark in benchmarks)
        values["average_vision"] = fmean((values["neural_vision"], values["behavior_vision"]))
        lines.append((values["average_vision"], [model, *(f"{values[column]:.4f}" for column in header[1:])]))
    text = io.StringIO()
    text.write(COMMENT + "\n")
    table = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    table.writerow(header)
    table.writerows(row for _, row in sorted(lines, reverse=True))
    return text.getvalue()


def _is_correct(network: nn.Module, images: Tensor, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    with torch.no_grad():
        correct: NDArray[np.bool_] = network(images).argmax(1).numpy() == labels
    return correct
