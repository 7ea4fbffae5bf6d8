"""Generator of network_costs.csv: the cost of networks, measured on torch's meta device, which computes only
shapes.

Run `make catalogue` after a change of timm's or torchvision's version. It takes about 0.33 s per network.
"""

import csv
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TextIO

import timm
import torch
import torchvision
from timm.models import get_pretrained_cfg
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model_weights

from alignsec.catalogue.network_cost import COLUMNS, NetworkCost

Size = tuple[int, int, int]
CLASSES = 1000


def measure(build: Callable[[], nn.Module], input_size: Size) -> NetworkCost:
    """Return the cost of one image of the network that `build` returns."""
    try:
        with torch.device("meta"):
            network = build()
    except NotImplementedError:  # the constructors of a few networks compute with values
        network = build().to("meta")
    network.eval().requires_grad_(False)
    own = [*network.parameters(), *network.buffers()]
    not_saved = {tensor.untyped_storage()._cdata for tensor in own}
    saved: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in not_saved:
            saved[storage._cdata] = storage
        return tensor

    image = torch.zeros(1, *input_size, device="meta", requires_grad=True)
    counter = FlopCounterMode(display=False)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), counter:
        network(image)
    return NetworkCost(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        buffer_bytes=sum(buffer.nbytes for buffer in network.buffers()),
        forward_flops=counter.get_total_flops(),
        saved_bytes=sum(storage.nbytes() for storage in saved.values()),
    )


def networks() -> Iterator[tuple[str, Size, Callable[[], nn.Module]]]:
    """Yield each architecture, each input size of its weights, and a function that builds the network.

    Weights for ImageNet's classes are preferred.
    """
    found: dict[tuple[str, Size], tuple[bool, str]] = {}
    for name in sorted({*timm.list_models(), *timm.list_models(pretrained=True)}):
        cfg = get_pretrained_cfg(name)
        # timm declares a tuple without its length.
        size: Size = tuple(cfg.input_size) if cfg else (3, 224, 224)  # type: ignore[assignment]
        key = (f"timm:{name.split('.')[0]}", size)
        better = (bool(cfg and cfg.num_classes == CLASSES), name)
        if key not in found or (better[0] and not found[key][0]):
            found[key] = better
    for (network, size), (_, name) in found.items():
        yield network, size, partial(timm.create_model, name)
    for name in sorted(torchvision.models.list_models(module=torchvision.models)):
        sizes = {(3, *weights.transforms().crop_size * 2) for weights in get_model_weights(name)}
        for size in sorted(sizes):
            yield f"torchvision:{name}", size, partial(torchvision.models.get_model, name)


def rows() -> Iterator[tuple[str, ...]]:
    """Yield one row per network. A network that cannot be measured is left out; its cost is guessed later."""
    for network, size, build in networks():
        try:
            cost = measure(build, size)
        # Raised by constructors and forward passes that need values, or that reject the size.
        except (RuntimeError, NotImplementedError, TypeError, ValueError, AssertionError) as error:
            sys.stderr.write(f"{network} at {size}: {type(error).__name__}: {error}\n")
            continue
        numbers = (getattr(cost, column) for column in COLUMNS[2:])
        yield (network, "x".join(str(side) for side in size), *(str(number) for number in numbers))


def write(file: TextIO) -> None:
    """Write the file as CSV."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows():
        writer.writerow(row)
        file.flush()


if __name__ == "__main__":
    write(sys.stdout)
