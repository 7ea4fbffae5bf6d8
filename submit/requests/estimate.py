"""Estimates of a job's time, memory, disk and GPU memory.

An estimate uses the pair's network, attack and images, and measurements of finished pairs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from alignsec.catalogue import network_cost
from alignsec.catalogue.network_cost import NetworkCost
from alignsec.spec.attack import Attack
from alignsec.spec.engine_limits import CPU_BACKWARD, CPU_SAVED_BYTES, SEARCH_IMAGES
from alignsec.spec.pair import Pair
from submit.requests import attack_cost, examples_size
from submit.requests.measurements import DeviceKind, Measurements

ROBUST_SHARE = 0.5
"""Share of images assumed to stay robust, before a pair with the same attack has finished."""
FLOPS_PER_SECOND: Mapping[DeviceKind, float] = {"cpu": 30e9, "gpu": 5e12}
"""Assumed before a pair has finished. cpu: one core of an AMD EPYC; measured: ResNet-18 34e9, ViT-Tiny 30e9,
MobileNetV1 31e9, MobileNetV2 16e9. gpu: a quarter to a half of the float32 peak of an RTX 2080 Ti, A40 or A100;
not measured."""
SECONDS_PER_CALL: Mapping[DeviceKind, float] = {"cpu": 0.002, "gpu": 0.01}
"""Overhead of one call of the network, independent of the batch size."""
STARTING_SECONDS: Mapping[DeviceKind, float] = {"cpu": 10.0, "gpu": 60.0}
"""Start-up time of a job, before a pair has finished."""
GPU_SLOTS = 8
"""Images for which a GPU must have memory. The engine uses larger batches on larger GPUs."""
BASE_MB: Mapping[DeviceKind, int] = {"cpu": 1000, "gpu": 3500}
"""Python, torch, its libraries, and memory that their allocators do not return. cpu: with this value, jobs on the
four networks above peaked at 0.6 to 1.0 of their estimates. gpu: includes CUDA's libraries, from others' reports;
not measured."""
EXAMPLE_COPIES = 3
"""Copies of the kept examples on disk and in memory: they themselves, a checkpoint, and its temporary file."""
COMPILING_MB = 400
"""Additional memory of torch.compile; measured on a CPU: the C++ compiler takes 265 MB."""
GPU_BASE_MB = 800
"""GPU memory of CUDA's context and workspaces."""
SLACK = 1.3
"""Factor for memory that allocators reserve in addition to what is used."""
ROUND_MB = 100

Basis = Literal["this model", "other models", "assumed speed", "guessed network"]
"""What the estimate of the run time is based on."""


@dataclass(frozen=True)
class InputSizes:
    """Sizes of a job's inputs, in bytes."""

    weights: int
    images: int
    code: int

    @property
    def transferred(self) -> int:
        """Total size."""
        return self.weights + self.images + self.code


@dataclass(frozen=True)
class ResourceEstimate:
    """Resources that one pair's job needs."""

    seconds: float
    """Expected run time."""
    most_seconds: float
    """Run time if every image stays robust."""
    memory_mb: int
    disk_mb: int
    gpu_memory_mb: int
    """Smallest sufficient memory of a GPU; 0 for a job on a CPU."""
    transferred: int
    """Total size of the job's inputs, in bytes."""
    examples: int
    """Largest expected size of the kept adversarial examples, in bytes."""
    basis: Basis
    """What the run time is based on."""
    passes: float = 0.0
    """Expected passes, forward + 2 x backward, counted in images."""
    in_full: "FullCost | None" = None
    """The expected cost without the audit; None if the attack has none."""


@dataclass(frozen=True)
class FullCost:
    """Expected cost of a pair if an audited attack searched every image in full."""

    seconds: float
    passes: float
    """Forward + 2 x backward, counted in images."""


def estimate_resources(
    pair: Pair, sizes: InputSizes, image_count: int, measured: Measurements, kind: DeviceKind, cpus: int = 1
) -> ResourceEstimate:
    """Estimate the resources of one pair's job.

    Args:
        pair: The pair.
        sizes: Sizes of the job's inputs.
        image_count: Number of images.
        measured: Measurements of finished pairs; they take precedence over assumptions.
        kind: The kind of device that the job runs on.
        cpus: Cores of the job, if it runs on a CPU.
    """
    model, attack = pair.model, pair.attack
    cost = network_cost.estimate_cost(
        model.source, model.preprocessing.input_size, sizes.weights // 4, options=bool(model.options)
    )
    passes = attack_cost.estimate_attack_cost(attack)
    expected = _expect_passes(attack, image_count, measured)
    per_second, basis = _passes_per_second(pair, cost, measured, kind, cpus)
    starting = measured.starting_seconds(kind) or STARTING_SECONDS[kind]
    seconds, most = (
        starting + image_count * (forward + backward) / per_second
        for forward, backward in (expected, (passes.robust.forward, passes.robust.backward))
    )
    peak, gpu_peak = measured.peaks_mb(kind, model, attack, image_count)
    memory = BASE_MB[kind] + (2 * _weight_bytes(cost, sizes) + image_count * 4 * _values(pair)) / 1e6
    memory += COMPILING_MB if attack.compile else 0
    examples = examples_size.estimate_bytes(attack, model.preprocessing.input_size, image_count)
    example_mb = EXAMPLE_COPIES * examples / 1e6
    memory += example_mb
    if kind == "cpu":
        fitting = max(1, CPU_SAVED_BYTES // max(cost.saved_bytes, 1))
        at_once = min(attack.batch, image_count, fitting)
        memory += at_once * (cost.saved_bytes * CPU_BACKWARD + SEARCH_IMAGES * 4 * _values(pair)) / 1e6
    return ResourceEstimate(
        seconds=seconds,
        most_seconds=max(seconds, most),
        memory_mb=_round_up(memory if peak is None else peak * SLACK),
        disk_mb=_round_up(2 * sizes.transferred / 1e6 + ROUND_MB + example_mb),
        gpu_memory_mb=_gpu_memory(pair, cost, sizes, image_count, gpu_peak) if kind == "gpu" else 0,
        transferred=sizes.transferred,
        examples=examples,
        basis=basis,
        passes=image_count * _weigh(expected),
        in_full=_estimate_in_full(attack, image_count, measured, starting, per_second),
    )


def _expect_passes(attack: Attack, image_count: int, measured: Measurements) -> tuple[float, float]:
    """Return the mean forward and backward passes of an image."""
    if (found := measured.passes_per_image(attack)) is not None:
        return found
    cost, audited = attack_cost.estimate_attack_cost(attack), 1.0
    if attack.audit is not None:
        audited = attack_cost.expect_audited_share(attack.audit, image_count, ROBUST_SHARE)
    return cost.expected(ROBUST_SHARE, audited)


def _estimate_in_full(
    attack: Attack, image_count: int, measured: Measurements, starting: float, per_second: float
) -> FullCost | None:
    if attack.audit is None:
        return None
    expected = _expect_passes(attack.model_copy(update={"audit": None}), image_count, measured)
    return FullCost(starting + image_count * sum(expected) / per_second, image_count * _weigh(expected))


def _weigh(passes: tuple[float, float]) -> float:
    """Return forward + 2 x backward passes."""
    forward, backward = passes
    return forward + 2 * backward


def _passes_per_second(
    pair: Pair, cost: NetworkCost, measured: Measurements, kind: DeviceKind, cpus: int
) -> tuple[float, Basis]:
    if (rate := measured.passes_per_second(kind, pair.model, pair.attack)) is not None:
        return rate, "this model"
    measured_flops = measured.flops_per_second(kind, pair.attack)
    flops = measured_flops or FLOPS_PER_SECOND[kind] * (cpus if kind == "cpu" else 1)
    # As a rule, a batch is at least half full, because the engine refills its slots.
    seconds = cost.forward_flops / flops + SECONDS_PER_CALL[kind] / (pair.attack.batch / 2)
    return (
        1 / seconds,
        "guessed network" if cost.guessed else "other models" if measured_flops else "assumed speed",
    )


def _gpu_memory(pair: Pair, cost: NetworkCost, sizes: InputSizes, image_count: int, peak: int | None) -> int:
    """Return the smallest sufficient memory of a GPU, in MB: enough for a batch of GPU_SLOTS images.

    A finished job's peak only ever lowers the estimate, because on a larger GPU the engine fills the memory.
    """
    # CUDA graphs keep a separate memory pool.
    pools = 2 if pair.attack.compile else 1
    each = cost.saved_bytes * SLACK * pools + SEARCH_IMAGES * 4 * _values(pair)
    at_once = min(GPU_SLOTS, pair.attack.batch, image_count)
    images = image_count * 4 * _values(pair)
    needed = GPU_BASE_MB + (_weight_bytes(cost, sizes) * SLACK + images + at_once * each) / 1e6
    return _round_up(needed if peak is None else min(needed, GPU_BASE_MB + peak * SLACK))


def _weight_bytes(cost: NetworkCost, sizes: InputSizes) -> int:
    return max(sizes.weights, 4 * cost.parameters) + cost.buffer_bytes


def _values(pair: Pair) -> int:
    """Return the number of values of one input image."""
    channels, height, width = pair.model.preprocessing.input_size
    return channels * height * width


def _round_up(megabytes: float) -> int:
    """Round up to a multiple of ROUND_MB, so that jobs with similar requests can reuse each other's slots."""
    return ROUND_MB * -int(-megabytes // ROUND_MB)
