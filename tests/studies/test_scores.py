"""The demo's alignment scores of a network, and the table they are written to."""

import csv
import io
from statistics import fmean

import numpy as np
import pytest
import torch
from torch import nn

from aggregate.scores import scores as leaderboard
from studies.demo.digits import resize_digits, split_digits
from studies.demo.gabor import v1_energies
from studies.demo.observer import fit_template_observer
from studies.demo.scores import COLUMNS, COMMENT, format_scores, layer_features, score_network, v1_similarities

BENCHMARKS = [benchmark for benchmarks in COLUMNS.values() for benchmark in benchmarks]


class TemplateNetwork(nn.Module):
    """The template observer as a network: both give the same answers."""

    def __init__(self, splits) -> None:
        super().__init__()
        images = resize_digits(splits.training.pixels, 16).numpy()
        self.observer = fit_template_observer(images, splits.training.labels)

    def forward(self, images):
        """Return one-hot classes as logits."""
        return nn.functional.one_hot(torch.from_numpy(self.observer.classify(images.numpy())), 10).float()


class Cortex(nn.Module):
    """A layer that computes the Gabor model's energies."""

    def forward(self, images):
        """Return the energies."""
        return torch.from_numpy(v1_energies(images))


@pytest.fixture(scope="module")
def splits():
    return split_digits(0)


@pytest.fixture(scope="module")
def images(splits):
    return resize_digits(splits.scoring.pixels, 16)


def table(rows):
    text = format_scores(rows)
    comment, _, body = text.partition("\n")
    return comment, list(csv.DictReader(io.StringIO(body)))


def arbitrary_scores(shift: float) -> dict[str, float]:
    return {benchmark: shift + i / 7 for i, benchmark in enumerate(BENCHMARKS)}


def test_first_line_states_the_origin_of_the_scores():
    comment, _ = table([("one", arbitrary_scores(0))])
    assert comment == COMMENT
    assert comment.startswith("#")
    assert "not scores of Brain-Score" in comment


def test_aggregates_are_the_means_of_their_benchmarks():
    _, (row,) = table([("one", arbitrary_scores(0))])
    for aggregate, benchmarks in COLUMNS.items():
        assert float(row[aggregate]) == pytest.approx(fmean(float(row[b]) for b in benchmarks), abs=1e-4)
    two = fmean((float(row["neural_vision"]), float(row["behavior_vision"])))
    assert float(row["average_vision"]) == pytest.approx(two, abs=1e-4)


def test_rows_are_in_descending_order_of_the_average():
    _, rows = table(
        [("worse", arbitrary_scores(0)), ("best", arbitrary_scores(2)), ("better", arbitrary_scores(1))]
    )
    assert [row["Model"] for row in rows] == ["best", "better", "worse"]


def test_table_is_read_as_a_leaderboard():
    """Each benchmark belongs to its category."""
    read = leaderboard.parse_scores(
        format_scores([("one", arbitrary_scores(0)), ("two", arbitrary_scores(1))]).encode()
    )
    assert not read.remarks
    assert [column.name for column in read.aggregates] == ["average_vision", *COLUMNS]
    categories = {column.name: column.category for column in read.columns if column.level == "benchmark"}
    assert categories == {
        benchmark: category for category, benchmarks in COLUMNS.items() for benchmark in benchmarks
    }
    assert read.rows["one"].keys() == {column.name for column in read.columns}


def test_network_has_every_score(splits):
    network = nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(196, 10)).requires_grad_(
        False
    )
    scores = score_network(network, splits, 16)
    assert set(scores) == set(BENCHMARKS)
    assert all(-1 <= score <= 1 for score in scores.values())


def test_template_network_has_error_consistency_one(splits):
    """It gives the same answers, so its accuracy equals the observer's."""
    network = nn.Sequential(TemplateNetwork(splits))
    scores = score_network(network, splits, 16)
    for benchmark in COLUMNS["behavior_vision"]:
        assert scores[benchmark] == pytest.approx(1)
    assert 0.8 < scores["digits-top1"] < 1
    assert scores["digits-noise-top1"] < scores["digits-top1"]


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_the_most_v1_like_layer_is_scored(images):
    """A layer with constant output, which has no score, and a layer of noise are ignored."""

    class ThreeLayers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dead, self.cortex, self.random = nn.Threshold(2, 0), Cortex(), nn.Flatten()

        def forward(self, images):
            noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
            return self.dead(images), self.random(noise), self.cortex(images)

    scores = v1_similarities(ThreeLayers(), images)
    assert scores == {"GaborV1-rsa": pytest.approx(1), "GaborV1-cka": pytest.approx(1)}


def test_layer_is_chosen_and_scored_on_different_images(images):
    """A layer that equals V1 only on the images of the choice gets a low score."""
    half = len(images) // 2

    class V1OnFirstHalf(nn.Module):
        def forward(self, images):
            energies = torch.from_numpy(v1_energies(images))
            energies[half:] = torch.rand(energies[half:].shape, generator=torch.Generator().manual_seed(0))
            return energies

    scores = v1_similarities(nn.Sequential(V1OnFirstHalf()), images)
    assert scores["GaborV1-rsa"] < 0.2
    assert scores["GaborV1-cka"] < 0.2


def test_layers_are_those_that_process_images_and_hooks_are_removed(images):
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.ReLU(), nn.Flatten()))
    layers = layer_features(network, images)
    assert set(layers) == {"0", "1", "1.0", "1.1"}
    assert layers["0"].shape == (len(images), 2 * 14 * 14)
    assert np.array_equal(layers["1"], layers["1.1"])
    assert not any(module._forward_hooks for module in network.modules())
