"""What a network costs: parameters, operations, memory. Read from a file: an access point has no torch.

`make catalogue` measures each architecture of timm and torchvision at each input size its weights have.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

COLUMNS = ("network", "input_size", "parameters", "buffer_bytes", "forward_flops", "saved_bytes")
FILE = "network_costs.csv"
INPUT_PIXELS = 3 * 224 * 224


@dataclass(frozen=True)
class NetworkCost:
    """Of one image in float32."""

    parameters: int
    buffer_bytes: int
    """What lies in memory beside the parameters, such as running means and position tables."""
    forward_flops: int
    """Multiplications and additions of a forward pass. A backward pass to the input alone takes as many again."""
    saved_bytes: int
    """What autograd keeps for that backward pass, with the parameters frozen."""
    guessed: bool = False
    """Nothing was measured: it is what a network of so many parameters costs at most, as a rule."""

    def at(self, pixels: int, measured_pixels: int) -> "NetworkCost":
        """The cost at another input size: operations and memory grow with the pixels."""
        if pixels == measured_pixels:
            return self
        grown = pixels / measured_pixels
        return replace(
            self, forward_flops=round(self.forward_flops * grown), saved_bytes=round(self.saved_bytes * grown)
        )

    def of_width(self, parameters: int) -> "NetworkCost":
        """The cost of the same architecture with options that give it another number of parameters.

        Operations grow with the parameters. Memory grows with their square root where channels are added and in
        proportion where layers are; the larger is taken.
        """
        ratio = parameters / max(self.parameters, 1)
        return replace(
            self,
            parameters=parameters,
            forward_flops=round(self.forward_flops * ratio),
            saved_bytes=round(self.saved_bytes * max(ratio, ratio**0.5)),
        )


@cache
def estimate_cost(
    source: str, input_size: tuple[int, int, int], parameters: int, *, options: bool = False
) -> NetworkCost:
    """The cost of a pair's model.

    source: such as `timm:resnet50.a1_in1k`. parameters: as its weights file tells (its bytes by 4). options:
    whether the study changes the architecture, whose measured cost is then scaled by the parameters.
    """
    pixels = input_size[0] * input_size[1] * input_size[2]
    sizes = _measured().get(source.split(".", maxsplit=1)[0], {})
    if not sizes:
        return _guess(parameters, pixels)
    nearest = min(sizes, key=lambda size: (abs(size - pixels), size))
    cost = sizes[nearest].at(pixels, nearest)
    return cost.of_width(parameters) if options and parameters else cost


def _guess(parameters: int, pixels: int) -> NetworkCost:
    """An unknown network, on the dear side: three quarters of the measured ones have at most 430 operations a
    parameter and 264 MB of saved tensors at 3 x 224 x 224; the medians are 357 and 127 MB.
    """
    grown = pixels / INPUT_PIXELS
    return NetworkCost(
        parameters=parameters,
        buffer_bytes=0,
        forward_flops=round(430 * parameters * grown),
        saved_bytes=round(264e6 * grown),
        guessed=True,
    )


@cache
def _measured() -> Mapping[str, Mapping[int, NetworkCost]]:
    """By architecture, then by the input's number of values."""
    found: dict[str, dict[int, NetworkCost]] = defaultdict(dict)
    with files("alignsec.catalogue").joinpath(FILE).open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            channels, height, width = (int(side) for side in row["input_size"].split("x"))
            found[row["network"]][channels * height * width] = NetworkCost(
                parameters=int(row["parameters"]),
                buffer_bytes=int(row["buffer_bytes"]),
                forward_flops=int(row["forward_flops"]),
                saved_bytes=int(row["saved_bytes"]),
            )
    return found
