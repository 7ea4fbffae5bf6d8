"""Estimates grow with network, attack and images; measurements of finished pairs replace assumptions."""

from dataclasses import replace
from typing import Any

import pytest

from alignsec.catalogue import network_cost
from alignsec.spec.pair import Pair
from alignsec.spec.preprocessing import Preprocessing
from alignsec.spec.verdicts import Passes
from submit.requests import attack_cost, estimate, measurements
from submit.requests.estimate import InputSizes, ResourceEstimate
from submit.requests.measurements import DeviceKind, Measurement, Measurements
from tests import tiny

SIZES = InputSizes(weights=100_000_000, images=110_000_000, code=1_000_000)
NO_MEASUREMENTS = Measurements([])


def pair(source: str = "timm:resnet50.a1_in1k", side: int = 224, **attack: Any) -> Pair:
    """Return a pair of a full-size network under AutoAttack with standard settings."""
    preprocessing = Preprocessing(
        input_size=(3, side, side), mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bicubic", crop_pct=1
    )
    given = {"method": "autoattack", "norm": "Linf", "eps": ["1/255"], **attack}
    return tiny.pair(
        source=source, options={}, preprocessing=preprocessing, attack=tiny.attack(**{"steps": 100, **given})
    )


def estimated(
    one: Pair, images: int = 1000, measured: Measurements = NO_MEASUREMENTS, kind: DeviceKind = "gpu"
) -> ResourceEstimate:
    return estimate.estimate_resources(one, SIZES, images, measured, kind)


@pytest.mark.parametrize(
    ("cheaper", "costlier"),
    [
        (pair("timm:resnet18"), pair("timm:resnet50")),
        (pair(side=224), pair(side=288)),
        (pair(eps=["1/255"]), pair(eps=["1/255", "2/255"])),
        (pair(steps=50), pair(steps=100)),
        (pair(queries=500), pair()),
        (pair(method="clean", norm=None, eps=[], steps=100), pair(steps=1)),
    ],
)
def test_the_costlier_pair_takes_longer(cheaper: Pair, costlier: Pair):
    assert estimated(cheaper).seconds < estimated(costlier).seconds
    assert estimated(cheaper).most_seconds <= estimated(costlier).most_seconds


def test_time_grows_with_the_images():
    assert 5 < estimated(pair(), 10_000).seconds / estimated(pair(), 1000).seconds <= 10


def test_cost_of_an_image_that_stays_robust():
    """About 7,810 forward and 1,910 backward passes. A second budget repeats all components but FAB."""
    one, two = (
        attack_cost.estimate_attack_cost(pair(eps=eps).attack).robust for eps in (["1/255"], ["1/255", "2/255"])
    )
    assert one.forward == pytest.approx(7810, rel=0.01)
    assert one.backward == pytest.approx(1910, rel=0.01)
    assert two.forward - one.forward == one.forward - 1 - 1800


def test_a_larger_input_needs_a_larger_gpu():
    small, large = (
        estimated(pair("timm:tf_efficientnet_b7", side=224)),
        estimated(pair("timm:tf_efficientnet_b7", side=600)),
    )
    assert small.gpu_memory_mb < large.gpu_memory_mb
    assert estimated(pair(), kind="cpu").gpu_memory_mb == 0


def test_an_unknown_network_is_guessed_from_its_weights():
    made = estimated(pair("python:mine.py:build"))
    assert made.basis == "guessed network"
    assert estimated(pair()).basis == "assumed speed"


def test_all_inputs_count():
    made = estimated(pair())
    assert made.transferred == 211_000_000
    assert made.disk_mb >= 2 * 211


def test_options_scale_the_known_cost():
    """A network with a thousandth of the weights is assumed to need a thousandth of the operations."""
    whole = network_cost.estimate_cost("timm:vit_tiny_patch16_224", (3, 224, 224), 0)
    narrow = network_cost.estimate_cost(
        "timm:vit_tiny_patch16_224", (3, 224, 224), whole.parameters // 1000, options=True
    )
    assert narrow.forward_flops == pytest.approx(whole.forward_flops / 1000, rel=0.01)
    assert whole.saved_bytes / 1000 < narrow.saved_bytes < whole.saved_bytes


def measurement(one: Pair, **changes: Any) -> Measurement:
    """Return a finished pair with 100 forward and 50 backward passes per image, 30 passes per second."""
    made = measurements.measure_record(tiny.record(one, ["RRRW"] * len(one.attack.budgets)))
    return made.model_copy(
        update={"kind": "gpu", "images": 10, "forward": 1000, "backward": 500, "searching_seconds": 50.0,
                "seconds": 80.0, "flops": 1500 * 10**10, **changes}
    )  # fmt: skip


def test_a_pair_of_the_same_model_and_attack_gives_the_time():
    """30 s of start-up, then 1000 images with 150 passes each at 30 passes per second."""
    made = estimated(pair(), 1000, Measurements([measurement(pair())]))
    assert made.seconds == pytest.approx(30 + 1000 * 150 / 30)
    assert made.basis == "this model"


def test_pairs_of_other_models_give_the_speed_of_the_device():
    """300 GFLOP/s is slower than assumed, so the estimate grows."""
    other = measurement(pair("timm:resnet18", method="square", steps=100))
    slow = estimated(pair(), 1000, Measurements([other]))
    assert slow.basis == "other models"
    assert slow.seconds > 5 * estimated(pair(), 1000).seconds


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "cpu"},
        {"searching_seconds": 1.0},
        {"flops": 0, "network": "x"},
        {"search": "bf16"},
        {"compiled": True},
    ],
)
def test_pairs_that_are_not_comparable_are_ignored(changes: dict[str, Any]):
    """Another device, a search that is too short, an unknown network, another precision, or torch.compile."""
    assert (
        estimated(pair(), 1000, Measurements([measurement(pair(method="square", steps=100), **changes)])).basis
        == "assumed speed"
    )


def test_measured_memory_takes_precedence():
    measured = Measurements([measurement(pair(), images=1000, peak_memory_mb=9000, peak_gpu_memory_mb=1000)])
    made = estimated(pair(), 1000, measured)
    assert made.memory_mb == 11_700
    assert made.gpu_memory_mb == 2100
    more = estimated(pair(), 2000, measured)
    assert more.memory_mb != 11_700, "more images than were measured"


def test_a_peak_on_a_large_gpu_does_not_raise_the_request():
    filled = Measurements([measurement(pair(), images=1000, peak_gpu_memory_mb=78_000)])
    assert estimated(pair(), 1000, filled).gpu_memory_mb == estimated(pair(), 1000).gpu_memory_mb


def test_compilation_needs_memory_on_host_and_gpu():
    plain, compiled = estimated(pair(), 1000), estimated(pair(compile=True), 1000)
    assert compiled.memory_mb == plain.memory_mb + 400
    assert plain.gpu_memory_mb < compiled.gpu_memory_mb < 2 * plain.gpu_memory_mb


def test_a_batch_is_limited_by_the_memory_of_saved_activations():
    """On a CPU. One image of EfficientNet-B7 at 600 pixels saves 3.9 GB for the backward pass."""
    large = estimated(pair("timm:efficientnet_b7", side=600), kind="cpu")
    assert 8000 < large.memory_mb < 16_000


def test_a_measurement_counts_all_passes():
    record = tiny.record(tiny.pair(), clean_passes=Passes(forward=7))
    measured = measurements.measure_record(record)
    assert (measured.forward, measured.backward) == (7 + 2 * 40, 2 * 30)


def test_sizes_add_up():
    assert replace(SIZES, images=0).transferred == 101_000_000


def test_an_audited_attack_is_compared_with_the_full_one():
    """Expect the full attack's own estimate, and an audit that a smaller share makes cheaper."""
    full = estimated(pair())
    few, many = (estimated(pair(audit={"share": share})) for share in ("0.02", "0.5"))
    assert full.in_full is None
    for audited in (few, many):
        assert audited.in_full is not None
        assert audited.in_full.passes == full.passes
        assert audited.in_full.seconds == pytest.approx(full.seconds)
        assert audited.most_seconds == pytest.approx(full.most_seconds), "the guard may audit everything"
    assert few.passes < many.passes < full.passes
    assert few.seconds < many.seconds < full.seconds
    assert full.passes > 5 * few.passes


def test_the_cost_of_a_screened_image():
    """Expect the clean pass, nine gradients for the distance, APGD-CE, and for an eighth the screen's targets."""
    attack = pair(audit={"share": "0.1", "targets": 2}, eps=["1/255", "2/255"]).attack
    screened = attack_cost.estimate_attack_cost(attack).screened
    assert (screened.forward, screened.backward) == 2 * (1 + 9 + 2 * 101 + round(2 * 2 * 101 / 8),)
