"""Estimates: dearer networks, attacks and images ask for more, and finished pairs correct what was assumed."""

from dataclasses import replace
from typing import Any

import pytest

from alignsec.catalogue import network_cost
from alignsec.spec.pair import Pair
from alignsec.spec.preprocessing import Preprocessing
from alignsec.spec.verdicts import Passes
from submit.requests import estimate, measurements
from submit.requests.estimate import Estimate, Sizes
from submit.requests.measurements import Kind, Measurement, Measurements
from tests import tiny

SIZES = Sizes(weights=100_000_000, images=110_000_000, code=1_000_000)
NONE = Measurements([])


def pair(source: str = "timm:resnet50.a1_in1k", side: int = 224, **attack: Any) -> Pair:
    """A pair of a whole network under full AutoAttack."""
    preprocessing = Preprocessing(
        input_size=(3, side, side), mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bicubic", crop_pct=1
    )
    given = {"method": "autoattack", "norm": "Linf", "eps": ["1/255"], **attack}
    return tiny.pair(
        source=source, options={}, preprocessing=preprocessing, attack=tiny.attack(**{"steps": 100, **given})
    )


def of(one: Pair, images: int = 1000, known: Measurements = NONE, kind: Kind = "gpu") -> Estimate:
    return estimate.estimate_resources(one, SIZES, images, known, kind)


@pytest.mark.parametrize(
    ("cheap", "dear"),
    [
        (pair("timm:resnet18"), pair("timm:resnet50")),
        (pair(side=224), pair(side=288)),
        (pair(eps=["1/255"]), pair(eps=["1/255", "2/255"])),
        (pair(steps=50), pair(steps=100)),
        (pair(queries=500), pair()),
        (pair(method="clean", norm=None, eps=[], steps=100), pair(steps=1)),
    ],
)
def test_the_dearer_pair_takes_longer(cheap: Pair, dear: Pair):
    assert of(cheap).seconds < of(dear).seconds
    assert of(cheap).most_seconds <= of(dear).most_seconds


def test_time_grows_with_the_images():
    assert 5 < of(pair(), 10_000).seconds / of(pair(), 1000).seconds <= 10


def test_a_robust_image_costs_what_the_design_says():
    """7,810 forward and 1,910 backward passes (DESIGN 8); a second budget costs all but FAB again."""
    from submit.requests import attack_cost  # noqa: PLC0415

    one, two = (attack_cost.attack_cost(pair(eps=eps).attack).robust for eps in (["1/255"], ["1/255", "2/255"]))
    assert one.forward == pytest.approx(7810, rel=0.01)
    assert one.backward == pytest.approx(1910, rel=0.01)
    assert two.forward - one.forward == one.forward - 1 - 1800


def test_a_larger_input_needs_a_larger_gpu():
    small, large = of(pair("timm:tf_efficientnet_b7", side=224)), of(pair("timm:tf_efficientnet_b7", side=600))
    assert small.gpu_memory_mb < large.gpu_memory_mb
    assert of(pair(), kind="cpu").gpu_memory_mb == 0


def test_a_network_that_nobody_measured_is_guessed_and_says_so():
    made = of(pair("python:mine.py:build"))
    assert made.basis == "guessed network"
    assert of(pair()).basis == "assumed speed"


def test_everything_a_job_is_handed_counts():
    made = of(pair())
    assert made.transferred == 211_000_000
    assert made.disk_mb >= 2 * 211


def test_options_scale_what_was_measured():
    """The tiny networks of the tests: a thousandth of the weights is a thousandth of the operations."""
    whole = network_cost.estimate_cost("timm:vit_tiny_patch16_224", (3, 224, 224), 0)
    narrow = network_cost.estimate_cost(
        "timm:vit_tiny_patch16_224", (3, 224, 224), whole.parameters // 1000, options=True
    )
    assert narrow.forward_flops == pytest.approx(whole.forward_flops / 1000, rel=0.01)
    assert whole.saved_bytes / 1000 < narrow.saved_bytes < whole.saved_bytes


def taken(one: Pair, **changes: Any) -> Measurement:
    """A finished pair: 100 passes forward and 50 backward an image, 2000 of both a second."""
    made = measurements.measure_record(tiny.record(one, ["RRRW"] * len(one.attack.budgets)))
    return made.model_copy(
        update={"kind": "gpu", "images": 10, "forward": 1000, "backward": 500, "searching_seconds": 50.0,
                "seconds": 80.0, "flops": 1500 * 10**10, **changes}
    )  # fmt: skip


def test_the_same_model_and_attack_tell_all():
    """1000 images at 150 passes each, 30 passes a second, after 30 s of starting."""
    made = of(pair(), 1000, Measurements([taken(pair())]))
    assert made.seconds == pytest.approx(30 + 1000 * 150 / 30)
    assert made.basis == "this model"


def test_other_models_tell_the_speed_of_the_device():
    """300 GFLOP/s: slower than assumed, so everything takes longer."""
    other = taken(pair("timm:resnet18", method="square", steps=100))
    slow = of(pair(), 1000, Measurements([other]))
    assert slow.basis == "other models"
    assert slow.seconds > 5 * of(pair(), 1000).seconds


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
def test_what_tells_nothing_of_this_speed_is_left_out(changes: dict[str, Any]):
    """Another kind of device, a search too short to tell, an unknown network, another precision, torch.compile."""
    assert (
        of(pair(), 1000, Measurements([taken(pair(method="square", steps=100), **changes)])).basis
        == "assumed speed"
    )


def test_memory_that_earlier_jobs_took_goes_before_the_estimate():
    known = Measurements([taken(pair(), images=1000, peak_memory_mb=9000, peak_gpu_memory_mb=1000)])
    made = of(pair(), 1000, known)
    assert made.memory_mb == 11_700
    assert made.gpu_memory_mb == 2100
    more = of(pair(), 2000, known)
    assert more.memory_mb != 11_700, "more images than were measured"


def test_a_smaller_gpu_is_never_refused_for_what_a_larger_one_was_filled_with():
    filled = Measurements([taken(pair(), images=1000, peak_gpu_memory_mb=78_000)])
    assert of(pair(), 1000, filled).gpu_memory_mb == of(pair(), 1000).gpu_memory_mb


def test_compiling_takes_memory_of_the_host_and_of_the_gpu():
    plain, compiled = of(pair(), 1000), of(pair(compile=True), 1000)
    assert compiled.memory_mb == plain.memory_mb + 400
    assert plain.gpu_memory_mb < compiled.gpu_memory_mb < 2 * plain.gpu_memory_mb


def test_sixty_four_images_never_save_more_than_the_engine_lets_them():
    """On a CPU, where one image of EfficientNet-B7 at 600 pixels saves 3.9 GB."""
    large = of(pair("timm:efficientnet_b7", side=600), kind="cpu")
    assert 8000 < large.memory_mb < 16_000


def test_passes_of_a_record_are_all_of_them():
    record = tiny.record(tiny.pair(), clean_passes=Passes(forward=7))
    assert replace_none(measurements.measure_record(record)) == (7 + 2 * 40, 2 * 30)


def replace_none(one: Measurement) -> tuple[int, int]:
    return one.forward, one.backward


def test_sizes_add_up():
    assert replace(SIZES, images=0).transferred == 101_000_000
