"""The cost of networks: the file compared with the installed libraries and with real passes."""

import pytest
import timm
import torch

from alignsec.catalogue import cuda_archs, network_cost
from alignsec.catalogue.generate.network_cost import measure, networks

NETWORKS = ("timm:resnet18", "timm:mobilenetv2_100", "timm:vit_tiny_patch16_224", "torchvision:regnet_y_400mf")


def test_the_file_lists_every_architecture():
    """If it fails after a change of timm's or torchvision's version, run `make catalogue`."""
    found = {network for network, _, _ in networks()}
    assert found == set(network_cost._read_costs())


@pytest.mark.parametrize("network", NETWORKS)
def test_the_file_agrees_with_a_new_measurement(network: str):
    size, build = next((size, build) for name, size, build in networks() if name == network)
    assert network_cost.estimate_cost(network, size, 0) == measure(build, size)


def test_the_cost_agrees_with_a_real_pass():
    """ResNet-18 has 1.8 GMACs (its paper); memory is that of the tensors that autograd saves."""
    cost = network_cost.estimate_cost("timm:resnet18.a1_in1k", (3, 224, 224), 0)
    network = timm.create_model("resnet18").eval().requires_grad_(False)
    assert cost.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert cost.forward_flops / 2 == pytest.approx(1.81e9, rel=0.01)
    own = {tensor.data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = network(torch.zeros(1, 3, 224, 224, requires_grad=True))
    assert cost.saved_bytes == pytest.approx(sum(storage.nbytes() for storage in kept.values()), rel=0.05)
    assert logits.shape == (1, 1000)


def test_operations_are_proportional_to_the_pixels():
    small, large = (network_cost.estimate_cost("timm:resnet18", (3, side, side), 0) for side in (224, 448))
    assert large.forward_flops == pytest.approx(4 * small.forward_flops, rel=0.35)
    assert large.parameters == small.parameters


def test_the_architectures_are_those_of_the_installed_torch():
    """A build without CUDA has none to compare."""
    if built := torch.cuda.get_arch_list():
        assert {name for name in built if name.startswith("sm_")} == set(cuda_archs.ARCHITECTURES)
        assert torch.version.cuda == cuda_archs.RUNTIME
    assert cuda_archs.LOWEST_CAPABILITY == 7.5
