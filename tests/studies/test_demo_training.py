"""The demo's networks: those of demo.toml can be built, and learning is the same every time."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from alignsec.models import classifier
from alignsec.spec.pair import File, PairModel
from alignsec.spec.preprocessing import Preprocessing
from studies.demo.digits import resize_digits, split_digits
from studies.demo.listing import STUDY_FILE, ListingError, ModelEntry, read_models
from studies.demo.training import (
    RECIPES,
    Network,
    Recipe,
    accuracy,
    attack_images,
    shift_images,
    state_to_save,
    train_network,
)

TINY = ModelEntry(
    name="tiny",
    architecture="mambaout_femto",
    options={"in_chans": 1, "num_classes": 10, "depths": [1], "dims": [16]},
    weights="tiny.safetensors",
    side=16,
    mean=0.5,
    std=0.25,
)


@pytest.fixture(scope="module")
def digits():
    training = split_digits(0).training
    return resize_digits(training.pixels, 16), torch.from_numpy(training.labels)


@pytest.fixture(scope="module")
def plain(digits):
    return train_network(TINY, Recipe(epochs=5), *digits)


def test_every_model_of_the_study_has_a_recipe_and_no_recipe_is_left_over():
    entries = read_models(STUDY_FILE)
    assert [entry.name for entry in entries] == list(RECIPES)
    assert [entry.weights for entry in entries] == [f"{entry.name}.safetensors" for entry in entries]


def test_the_study_has_eight_models_of_many_kinds_and_the_same_network_both_ways():
    kinds: dict[str, set[bool]] = {}
    for entry in read_models(STUDY_FILE):
        kinds.setdefault(entry.architecture, set()).add(RECIPES[entry.name].eps > 0)
    assert len(read_models(STUDY_FILE)) >= 8
    assert len(kinds) >= 6
    assert sum(len(ways) == 2 for ways in kinds.values()) >= 2


@pytest.mark.parametrize("entry", read_models(STUDY_FILE), ids=lambda entry: entry.name)
def test_a_listed_network_can_be_built_and_is_small(entry):
    network = Network(entry).eval()
    assert network(torch.rand(2, 1, entry.side, entry.side)).shape == (2, 10)
    assert sum(parameter.numel() for parameter in network.parameters()) < 200_000


def test_learning_twice_gives_the_same_bits_and_another_name_others(digits):
    recipe = Recipe(epochs=1, eps=Fraction(8, 255))
    first, second = (train_network(TINY, recipe, *digits).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)
    named = ModelEntry(**{**TINY.__dict__, "name": "other"})
    other = train_network(named, recipe, *digits).state_dict()
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_a_few_epochs_teach_the_digits(plain):
    test = split_digits(0).test
    assert accuracy(plain, resize_digits(test.pixels, 16), torch.from_numpy(test.labels)) > 0.7


def test_an_attack_keeps_to_its_budget_and_to_pixels_and_makes_the_loss_worse(plain, digits):
    images, labels = digits[0][:100], digits[1][:100]
    eps = 12 / 255
    found = attack_images(plain, images, labels, eps, 5, torch.Generator().manual_seed(0))
    assert (found - images).abs().max() <= eps + 1e-6
    assert 0 <= found.min() <= found.max() <= 1
    assert F.cross_entropy(plain(found), labels) > 1.5 * F.cross_entropy(plain(images), labels)


def test_learning_under_attack_makes_a_network_robust(plain, digits):
    eps = Fraction(16, 255)
    robust = train_network(TINY, Recipe(epochs=5, eps=eps), *digits)
    test = split_digits(0).test
    images, labels = resize_digits(test.pixels, 16), torch.from_numpy(test.labels)
    survived = [
        accuracy(network, attack_images(network, images, labels, float(eps), 10, torch.Generator()), labels)
        for network in (plain, robust)
    ]
    assert survived[1] > survived[0] + 0.1


def test_shifting_moves_each_image_by_at_most_one_pixel():
    image = torch.zeros(200, 1, 8, 8)
    image[:, 0, 4, 4] = 1
    shifted = shift_images(image, torch.Generator().manual_seed(0))
    assert shifted.shape == image.shape
    assert torch.equal(shifted.sum((1, 2, 3)), torch.ones(200))
    places = {(int(row), int(column)) for row, column in shifted[:, 0].nonzero()[:, 1:]}
    assert places == {(row, column) for row in (3, 4, 5) for column in (3, 4, 5)}


def test_alignsec_loads_the_weights_into_the_same_function(plain, digits, tmp_path):
    """Same normalisation, same network: the logits agree."""
    save_file(state_to_save(plain), tmp_path / TINY.weights)
    model = PairModel(
        name="tiny",
        source=f"timm:{TINY.architecture}",
        options=dict(TINY.options),
        weights=File(name=TINY.weights, sha256="0" * 64),
        preprocessing=Preprocessing(
            input_size=(1, 16, 16), mean=(0.5,), std=(0.25,), interpolation="bilinear", crop_pct=1.0
        ),
    )
    loaded = classifier.load(model, tmp_path, torch.device("cpu"))
    assert np.allclose(loaded(digits[0][:20]), plain(digits[0][:20]), atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"timm:resnet10t"', '"brainscore:resnet"', r"models\[0\]\.source"),
        ('"bilinear"', '"bicubic"', r"models\[0\]\.preprocessing\.interpolation"),
        ("input_size = [1, 16, 16]", "input_size = [3, 16, 16]", r"models\[0\]\.preprocessing"),
        ("std = [0.25]", "std = [0.0]", r"models\[0\]\.preprocessing"),
        ("weights =", "wieghts =", r"models\[0\]\.weights: missing"),
    ],
)
def test_a_listing_the_demo_cannot_make_is_refused_by_field(old, new, field, tmp_path):
    changed = Path(tmp_path / "demo.toml")
    changed.write_text(STUDY_FILE.read_text().replace(old, new))
    with pytest.raises(ListingError, match=field):
        read_models(changed)
