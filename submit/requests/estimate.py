"""Estimates: what a pair will take, from its network, its attack, its images, and what finished pairs took."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from alignsec.catalogue import network_cost
from alignsec.catalogue.network_cost import NetworkCost
from alignsec.spec.engine_limits import CPU_BACKWARD, CPU_SAVED_BYTES, SEARCH_IMAGES
from alignsec.spec.pair import Pair
from submit.requests import attack_cost
from submit.requests.measurements import Kind, Measurements

ROBUST_SHARE = 0.5
"""Of the images, where no pair under the same attack is finished yet."""
FLOPS_PER_SECOND: Mapping[Kind, float] = {"cpu": 30e9, "gpu": 5e12}
"""Where no pair is finished yet. cpu: one core of an AMD EPYC; measured: ResNet-18 34e9,
ViT-Tiny 30e9, MobileNetV1 31e9, MobileNetV2 16e9. gpu: a quarter to a half of
what an RTX 2080 Ti, A40 or A100 can do in float32; not measured."""
SECONDS_PER_CALL: Mapping[Kind, float] = {"cpu": 0.002, "gpu": 0.01}
"""What a call of the network takes however small the batch is."""
STARTING_SECONDS: Mapping[Kind, float] = {"cpu": 10.0, "gpu": 60.0}
GPU_SLOTS = 8
"""Images for which a GPU must have room; on a larger one the engine takes more."""
BASE_MB: Mapping[Kind, int] = {"cpu": 1000, "gpu": 3500}
"""Python, torch, its libraries, and what their allocators do not give back. cpu: jobs on those four networks then
peaked at 0.6 to 1.0 of their estimates. gpu: with CUDA's, from others' reports; not measured."""
COMPILING_MB = 400
"""torch.compile beside the job's own; measured on a CPU: the C++ compiler 265 MB."""
GPU_BASE_MB = 800
"""CUDA's context and workspaces."""
SLACK = 1.3
"""Allocators keep more than is asked of them."""
ROUND_MB = 100

Basis = Literal["this model", "other models", "assumed speed", "guessed network"]


@dataclass(frozen=True)
class Sizes:
    """Bytes of what a job is handed."""

    weights: int
    images: int
    code: int

    @property
    def transferred(self) -> int:
        """All of it."""
        return self.weights + self.images + self.code


@dataclass(frozen=True)
class Estimate:
    """What one pair will take."""

    seconds: float
    """Expected."""
    most_seconds: float
    """If every image stayed robust."""
    memory_mb: int
    disk_mb: int
    gpu_memory_mb: int
    """The least a GPU must have; 0 for a pair on a CPU."""
    transferred: int
    """Bytes of all that the job is handed."""
    basis: Basis
    """What the time rests on."""


def estimate_resources(
    pair: Pair, sizes: Sizes, image_count: int, measured: Measurements, kind: Kind, cpus: int = 1
) -> Estimate:
    """The estimate of one pair on a kind of device."""
    model, attack = pair.model, pair.attack
    cost = network_cost.estimate_cost(
        model.source, model.preprocessing.input_size, sizes.weights // 4, options=bool(model.options)
    )
    passes = attack_cost.attack_cost(attack)
    expected = measured.passes_per_image(attack) or passes.expected(ROBUST_SHARE)
    per_second, basis = _passes_per_second(pair, cost, measured, kind, cpus)
    starting = measured.starting_seconds(kind) or STARTING_SECONDS[kind]
    seconds, most = (
        starting + image_count * (forward + backward) / per_second
        for forward, backward in (expected, (passes.robust.forward, passes.robust.backward))
    )
    peak, gpu_peak = measured.peaks_mb(kind, model, attack, image_count)
    memory = BASE_MB[kind] + (2 * _weight_bytes(cost, sizes) + image_count * 4 * _values(pair)) / 1e6
    memory += COMPILING_MB if attack.compile else 0
    if kind == "cpu":
        fitting = max(1, CPU_SAVED_BYTES // max(cost.saved_bytes, 1))
        at_once = min(attack.batch, image_count, fitting)
        memory += at_once * (cost.saved_bytes * CPU_BACKWARD + SEARCH_IMAGES * 4 * _values(pair)) / 1e6
    return Estimate(
        seconds=seconds,
        most_seconds=max(seconds, most),
        memory_mb=_rounded(memory if peak is None else peak * SLACK),
        disk_mb=_rounded(2 * sizes.transferred / 1e6 + ROUND_MB),
        gpu_memory_mb=_gpu_memory(pair, cost, sizes, image_count, gpu_peak) if kind == "gpu" else 0,
        transferred=sizes.transferred,
        basis=basis,
    )


def _passes_per_second(
    pair: Pair, cost: NetworkCost, measured: Measurements, kind: Kind, cpus: int
) -> tuple[float, Basis]:
    if (rate := measured.passes_per_second(kind, pair.model, pair.attack)) is not None:
        return rate, "this model"
    known = measured.flops_per_second(kind, pair.attack)
    flops = known or FLOPS_PER_SECOND[kind] * (cpus if kind == "cpu" else 1)
    # A batch is never emptier than half, as a rule: slots are refilled.
    seconds = cost.forward_flops / flops + SECONDS_PER_CALL[kind] / (pair.attack.batch / 2)
    return 1 / seconds, "guessed network" if cost.guessed else "other models" if known else "assumed speed"


def _gpu_memory(pair: Pair, cost: NetworkCost, sizes: Sizes, image_count: int, peak: int | None) -> int:
    """The least memory of a GPU that does not starve: room for a few images at once.

    An earlier job's peak is that of a larger GPU, which it filled, so it only ever lowers the estimate.
    """
    # CUDA graphs keep a pool of their own.
    pools = 2 if pair.attack.compile else 1
    each = cost.saved_bytes * SLACK * pools + SEARCH_IMAGES * 4 * _values(pair)
    at_once = min(GPU_SLOTS, pair.attack.batch, image_count)
    images = image_count * 4 * _values(pair)
    needed = GPU_BASE_MB + (_weight_bytes(cost, sizes) * SLACK + images + at_once * each) / 1e6
    return _rounded(needed if peak is None else min(needed, GPU_BASE_MB + peak * SLACK))


def _weight_bytes(cost: NetworkCost, sizes: Sizes) -> int:
    return max(sizes.weights, 4 * cost.parameters) + cost.buffer_bytes


def _values(pair: Pair) -> int:
    channels, height, width = pair.model.preprocessing.input_size
    return channels * height * width


def _rounded(megabytes: float) -> int:
    """Up to the next hundred: requests that differ by little share machines' slots."""
    return ROUND_MB * -int(-megabytes // ROUND_MB)
