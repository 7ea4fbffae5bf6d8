"""Memory format: a network that depends on the order in memory is left as it is."""

import importlib.util

import pytest
import torch
from torch import Tensor, nn

from alignsec.models import memory_format
from alignsec.models.classifier import Classifier
from tests import paths, tiny_networks

SIZE = (3, 32, 32)


class Viewing(nn.Module):
    """Flattens with `view`, as tutorials do, or in a way that reads other values without an error."""

    def __init__(self, *, wrongly: bool = False) -> None:
        super().__init__()
        self.wrongly = wrongly
        self.conv = nn.Conv2d(3, 8, 3, 2)
        self.head = nn.Linear(8 * 15 * 15, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        features = self.conv(images).relu()
        if self.wrongly:
            return self.head(features.as_strided((len(images), 8 * 15 * 15), (8 * 15 * 15, 1)))
        return self.head(features.view(features.size(0), -1))


def classify(classifier: Classifier) -> Tensor:
    return classifier(torch.rand(4, *SIZE, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("options", [{}, {"wrongly": True}])
def test_network_that_depends_on_the_order_stays_contiguous(options: dict[str, bool]):
    """Also if it returns other values without an error."""
    torch.manual_seed(0)
    classifier = tiny_networks.classifier(Viewing(**options), channels=3)
    expected = classify(classifier)
    assert not memory_format.use_channels_last(classifier, SIZE)
    assert torch.equal(classify(classifier), expected)
    assert classifier.network.conv.weight.is_contiguous()
    assert classifier.passes.forward == 8


def test_other_networks_get_channels_last():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 15 * 15, 5))
    classifier = tiny_networks.classifier(network, channels=3)
    expected = classify(classifier)
    assert memory_format.use_channels_last(classifier, SIZE)
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(classify(classifier), expected, atol=1e-5)


def test_case_of_a_users_network():
    file = paths.CASES / "20-view-in-a-users-network/nets.py"
    spec = importlib.util.spec_from_file_location("nets", file)
    assert spec is not None
    assert spec.loader is not None
    nets = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(nets)
    classifier = tiny_networks.classifier(nets.Tutorial(), channels=3)
    memory_format.use_channels_last(classifier, (3, 224, 224))
    assert classifier(torch.rand(2, 3, 224, 224)).shape == (2, 10)
