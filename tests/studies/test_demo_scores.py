"""The demo's alignment scores: what is measured of a network, and the table they are written to."""

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
from studies.demo.observer import template_observer
from studies.demo.scores import COLUMNS, COMMENT, layer_features, score_network, scores_text, v1_similarities

BENCHMARKS = [benchmark for part in COLUMNS.values() for benchmark in part]


class TemplateNetwork(nn.Module):
    """The template observer as a network: whatever it errs on, the observer errs on too."""

    def __init__(self, parts) -> None:
        super().__init__()
        images = resize_digits(parts.training.pixels, 16).numpy()
        self.observer = template_observer(images, parts.training.labels)

    def forward(self, images):
        """Return one-hot choices as logits."""
        return nn.functional.one_hot(torch.from_numpy(self.observer.choose(images.numpy())), 10).float()


class Cortex(nn.Module):
    """A layer that is the Gabor model itself."""

    def forward(self, images):
        """Return the energies."""
        return torch.from_numpy(v1_energies(images))


@pytest.fixture(scope="module")
def parts():
    return split_digits(0)


@pytest.fixture(scope="module")
def images(parts):
    return resize_digits(parts.scoring.pixels, 16)


def table(rows):
    text = scores_text(rows)
    comment, _, body = text.partition("\n")
    return comment, list(csv.DictReader(io.StringIO(body)))


def made_up(shift: float) -> dict[str, float]:
    return {benchmark: shift + i / 7 for i, benchmark in enumerate(BENCHMARKS)}


def test_the_first_line_says_whose_scores_these_are():
    comment, _ = table([("one", made_up(0))])
    assert comment == COMMENT
    assert comment.startswith("#")
    assert "not scores of Brain-Score" in comment


def test_aggregates_are_the_means_of_what_stands_behind_them():
    _, (row,) = table([("one", made_up(0))])
    for aggregate, benchmarks in COLUMNS.items():
        assert float(row[aggregate]) == pytest.approx(fmean(float(row[b]) for b in benchmarks), abs=1e-4)
    two = fmean((float(row["neural_vision"]), float(row["behavior_vision"])))
    assert float(row["average_vision"]) == pytest.approx(two, abs=1e-4)


def test_rows_come_best_first():
    _, rows = table([("worse", made_up(0)), ("best", made_up(2)), ("better", made_up(1))])
    assert [row["Model"] for row in rows] == ["best", "better", "worse"]


def test_the_report_reads_the_table_as_a_leaderboard():
    """Category by category, and every benchmark under its own."""
    read = leaderboard.parse(scores_text([("one", made_up(0)), ("two", made_up(1))]).encode())
    assert not read.remarks
    assert [column.name for column in read.aggregates] == ["average_vision", *COLUMNS]
    under = {column.name: column.category for column in read.columns if column.level == "benchmark"}
    assert under == {benchmark: part for part, benchmarks in COLUMNS.items() for benchmark in benchmarks}
    assert read.rows["one"].keys() == {column.name for column in read.columns}


def test_a_network_has_every_score(parts):
    network = nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(196, 10)).requires_grad_(
        False
    )
    scores = score_network(network, parts, 16)
    assert set(scores) == set(BENCHMARKS)
    assert all(-1 <= score <= 1 for score in scores.values())


def test_a_network_that_is_the_template_observer_errs_as_it_does(parts):
    """And gets as many right; its one layer says nothing of V1 beyond the class."""
    network = nn.Sequential(TemplateNetwork(parts))
    scores = score_network(network, parts, 16)
    for benchmark in COLUMNS["behavior_vision"]:
        assert scores[benchmark] == pytest.approx(1)
    assert 0.8 < scores["digits-top1"] < 1
    assert scores["digits-noise-top1"] < scores["digits-top1"]


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_a_network_with_v1_inside_is_found_to_have_it(images):
    """Beside a dead layer and one of noise: the best counts, and a layer without a score is passed over."""

    class Several(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dead, self.cortex, self.random = nn.Threshold(2, 0), Cortex(), nn.Flatten()

        def forward(self, images):
            noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
            return self.dead(images), self.random(noise), self.cortex(images)

    scores = v1_similarities(Several(), images)
    assert scores == {"GaborV1-rsa": pytest.approx(1), "GaborV1-cka": pytest.approx(1)}


def test_the_layer_is_chosen_on_images_it_is_not_scored_on(images):
    """A layer that is V1 on the images it is chosen on, and noise on the rest, is exposed."""
    half = len(images) // 2

    class Cheat(nn.Module):
        def forward(self, images):
            energies = torch.from_numpy(v1_energies(images))
            energies[half:] = torch.rand(energies[half:].shape, generator=torch.Generator().manual_seed(0))
            return energies

    scores = v1_similarities(nn.Sequential(Cheat()), images)
    assert scores["GaborV1-rsa"] < 0.2
    assert scores["GaborV1-cka"] < 0.2


def test_layers_are_what_images_pass_through_and_hooks_are_taken_off(images):
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.ReLU(), nn.Flatten()))
    layers = layer_features(network, images)
    assert set(layers) == {"0", "1", "1.0", "1.1"}
    assert layers["0"].shape == (len(images), 2 * 14 * 14)
    assert np.array_equal(layers["1"], layers["1.1"])
    assert not any(module._forward_hooks for module in network.modules())
