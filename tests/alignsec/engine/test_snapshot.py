"""Snapshots: images are restored bit for bit from few bytes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from alignsec.engine import Settings, evaluate, packing
from alignsec.evaluation.task import Task
from tests.alignsec.engine import small


@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    radius=st.sampled_from([0.0, 1 / 255, 0.3, 1.0]),
    seed=st.integers(0, 1000),
)
def test_packed_images_are_restored_bit_for_bit(shape, radius, seed):
    """Expect this for any value: on the edge of the budget, clean, far outside, negative, infinite or NaN."""
    torch.manual_seed(seed)
    clean, eps = torch.rand(shape), torch.full(shape[:1], radius)
    edge = (clean + radius * torch.randn(shape).sign()).clamp(0, 1)
    special = torch.tensor([torch.nan, torch.inf, -0.0, 0.0, -1.0, 1e-40])[torch.randint(6, shape)]
    choices = torch.stack([clean, edge, torch.rand(shape), torch.randn(shape) * 1e9, special])
    images = choices.gather(0, torch.randint(len(choices), (1, *shape)))[0]
    parts = packing.pack(images, clean, eps)
    assert torch.equal(packing.unpack(parts, clean, eps).view(torch.int32), images.view(torch.int32))


@pytest.mark.parametrize(
    ("norm", "method", "eps", "most"),
    [
        ("Linf", "apgd-ce", "1/255", 0.25),
        ("L2", "apgd-ce", "0.1", 0.6),
        ("Linf", "square", "1/255", 0.02),
        ("L2", "square", "0.1", 0.3),
        ("Linf", "fab-t", "1/255", 0.25),
    ],
)
def test_a_snapshot_is_smaller_than_its_images(norm, method, eps, most):
    """Expect a fraction of the float32 images that a search holds: four in APGD, two in Square, one in FAB."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    pixels = torch.rand(8, 3, 32, 32)
    labels = network(pixels).argmax(1)
    attack = small.attack(method, norm, [eps])
    what = Task(small.classifier(network, 3, 32), pixels, labels, attack, 0)
    steps = evaluate(what, settings=Settings(seconds_between_yields=0))
    rounds = [len(evaluation.state_bytes or b"") for evaluation, _ in zip(steps, range(8), strict=False)]
    kept = {"apgd-ce": 4, "square": 2, "fab-t": 1}[method]
    # About 6 kB are names and small numbers.
    assert rounds[-1] - 6000 < most * kept * pixels.nbytes
