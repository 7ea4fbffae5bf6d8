"""Writes network_costs.csv: what networks cost, measured on torch's meta device, which computes shapes alone.

`make catalogue` runs it after a change of timm's or torchvision's version: about a third of a second a network.
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
    """The cost of one image of a network that `build` builds."""
    try:
        with torch.device("meta"):
            network = build()
    except NotImplementedError:  # a few compute with numbers while they are built
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
    """Each architecture at each input size its weights have, as those weights for ImageNet's classes build it."""
    found: dict[tuple[str, Size], tuple[bool, str]] = {}
    for name in sorted({*timm.list_models(), *timm.list_models(pretrained=True)}):
        cfg = get_pretrained_cfg(name)
        # timm says that it is a tuple, not of how many.
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
    """A row a network; one that cannot be measured so has none, and is guessed from its weights file."""
    for network, size, build in networks():
        try:
            cost = measure(build, size)
        # What constructors and forward passes raise of tensors without values, or of a size that they do not take.
        except (RuntimeError, NotImplementedError, TypeError, ValueError, AssertionError) as error:
            sys.stderr.write(f"{network} at {size}: {type(error).__name__}: {error}\n")
            continue
        numbers = (getattr(cost, column) for column in COLUMNS[2:])
        yield (network, "x".join(str(side) for side in size), *(str(number) for number in numbers))


def write(file: TextIO) -> None:
    """The whole file as CSV."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows():
        writer.writerow(row)
        file.flush()


if __name__ == "__main__":
    write(sys.stdout)
