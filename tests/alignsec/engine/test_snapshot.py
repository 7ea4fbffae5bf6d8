"""Snapshots: the images of the searches are stored in few bytes."""

import pytest
import torch
from torch import nn

from alignsec.engine import Settings, evaluate
from alignsec.evaluation.task import Task
from tests.alignsec.engine import small


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
