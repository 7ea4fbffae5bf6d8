"""Outputs: logits are extracted from the output of a network."""

from collections import namedtuple
from typing import Any

import pytest
import torch
from torch import nn

from alignsec.models import outputs
from alignsec.models.errors import ModelError
from tests import tiny_networks

LOGITS = torch.arange(6.0).view(2, 3)
OTHER = torch.zeros(2, 7)
FEATURES = torch.zeros(2, 4, 4)
Named = namedtuple("Named", ["features", "logits"])


class ModelOutput(dict[str, Any]):
    """Output of a Hugging Face model: a mapping whose keys are also attributes."""

    def __getattr__(self, name: str) -> object:
        return self.get(name)


@pytest.mark.parametrize(
    "returned",
    [
        LOGITS,
        (LOGITS, OTHER),
        [LOGITS],
        ((LOGITS, OTHER), FEATURES),
        {"logits": LOGITS, "aux": OTHER},
        {"aux": OTHER, "out": LOGITS},
        {"features": FEATURES, "classes": LOGITS},
        Named(OTHER, LOGITS),
        ModelOutput(loss=None, logits=LOGITS),
    ],
    ids=lambda returned: type(returned).__name__,
)
def test_logits_are_found(returned: object):
    assert outputs.extract_logits(returned) is LOGITS


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "returned NoneType"),
        ((), "returned tuple"),
        ({"a": LOGITS, "b": OTHER}, "the keys a, b"),
        (FEATURES, r"shape \(2, 4, 4\)"),
        ((FEATURES, LOGITS), r"shape \(2, 4, 4\)"),
    ],
)
def test_ambiguous_output_is_rejected(returned: object, message: str):
    with pytest.raises(ModelError, match=message):
        outputs.extract_logits(returned)


def test_classifier_extracts_logits():
    class Wrapped(nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return images.flatten(1), images

    pixels = torch.rand(2, 1, 3, 3)
    assert torch.equal(tiny_networks.classifier(Wrapped())(pixels), pixels.flatten(1))
