"""The networks of demo.toml can be built, and training is reproducible."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from alignsec.errors import ConfigErrors
from alignsec.models import classifier
from alignsec.spec.pair import File, PairModel
from alignsec.spec.preprocessing import Preprocessing
from studies.demo.digits import resize_digits, split_digits
from studies.demo.networks import STUDY_FILE, DemoNetwork, read_networks
from studies.demo.training import (
    RECIPES,
    Network,
    Recipe,
    attack_images,
    shift_images,
    state_to_save,
    train_network,
)

TINY = DemoNetwork(
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


def accuracy(network, images, labels) -> float:
    """Return the share of images that the network classifies correctly, 0 to 1."""
    with torch.no_grad():
        return float((network(images).argmax(1) == labels).double().mean())


def test_recipes_match_the_networks_of_the_study():
    definitions = read_networks(STUDY_FILE)
    assert [definition.name for definition in definitions] == list(RECIPES)
    assert [definition.weights for definition in definitions] == [f"{name}.safetensors" for name in RECIPES]


def test_study_has_eight_models_six_architectures_and_two_of_them_trained_both_ways():
    robust_by_architecture: dict[str, set[bool]] = {}
    for definition in read_networks(STUDY_FILE):
        robust_by_architecture.setdefault(definition.architecture, set()).add(RECIPES[definition.name].eps > 0)
    assert len(read_networks(STUDY_FILE)) >= 8
    assert len(robust_by_architecture) >= 6
    assert sum(len(robust) == 2 for robust in robust_by_architecture.values()) >= 2


@pytest.mark.parametrize("definition", read_networks(STUDY_FILE), ids=lambda definition: definition.name)
def test_network_can_be_built_and_is_small(definition):
    network = Network(definition).eval()
    assert network(torch.rand(2, 1, definition.side, definition.side)).shape == (2, 10)
    assert sum(parameter.numel() for parameter in network.parameters()) < 200_000


def test_training_is_reproducible_and_depends_on_the_name(digits):
    recipe = Recipe(epochs=1, eps=Fraction(8, 255))
    first, second = (train_network(TINY, recipe, *digits).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)
    renamed = replace(TINY, name="other")
    other = train_network(renamed, recipe, *digits).state_dict()
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_five_epochs_reach_70_percent_accuracy(plain):
    test = split_digits(0).test
    assert accuracy(plain, resize_digits(test.pixels, 16), torch.from_numpy(test.labels)) > 0.7


def test_training_attack_respects_its_budget_and_increases_the_loss(plain, digits):
    images, labels = digits[0][:100], digits[1][:100]
    eps = 12 / 255
    found = attack_images(plain, images, labels, eps, 5, torch.Generator().manual_seed(0))
    assert (found - images).abs().max() <= eps + 1e-6
    assert 0 <= found.min() <= found.max() <= 1
    assert F.cross_entropy(plain(found), labels) > 1.5 * F.cross_entropy(plain(images), labels)


def test_adversarial_training_increases_robust_accuracy(plain, digits):
    eps = Fraction(16, 255)
    robust = train_network(TINY, Recipe(epochs=5, eps=eps), *digits)
    test = split_digits(0).test
    images, labels = resize_digits(test.pixels, 16), torch.from_numpy(test.labels)
    robust_accuracy = [
        accuracy(network, attack_images(network, images, labels, float(eps), 10, torch.Generator()), labels)
        for network in (plain, robust)
    ]
    assert robust_accuracy[1] > robust_accuracy[0] + 0.1


def test_shift_moves_each_image_by_at_most_one_pixel():
    image = torch.zeros(200, 1, 8, 8)
    image[:, 0, 4, 4] = 1
    shifted = shift_images(image, torch.Generator().manual_seed(0))
    assert shifted.shape == image.shape
    assert torch.equal(shifted.sum((1, 2, 3)), torch.ones(200))
    places = {(int(row), int(column)) for row, column in shifted[:, 0].nonzero()[:, 1:]}
    assert places == {(row, column) for row in (3, 4, 5) for column in (3, 4, 5)}


def test_alignsec_classifier_gives_the_same_logits(plain, digits, tmp_path):
    """The weights file and the study's preprocessing reproduce the trained network."""
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
        ('"timm:resnet10t"', '"brainscore:resnet"', r"models\[0\].*source"),
        ('"bilinear"', '"bicubic"', r"models\[0\]\.preprocessing\.interpolation"),
        ("input_size = [1, 16, 16]", "input_size = [3, 16, 16]", r"models\[0\]\.preprocessing"),
        ("std = [0.25]", "std = [0.0]", r"models\[0\]\.preprocessing"),
        ("weights =", "wieghts =", r"models\[0\].*weights = FILE"),
    ],
)
def test_unsupported_model_is_an_error_with_its_field(old, new, field, tmp_path):
    changed = tmp_path / "demo.toml"
    changed.write_text(STUDY_FILE.read_text().replace(old, new))
    with pytest.raises(ConfigErrors, match=field):
        read_networks(changed)
