"""Limits that the engine and the resource estimate share."""

from alignsec import evaluator
from alignsec.engine import Settings, settings
from alignsec.evaluation.passes import memory
from alignsec.spec import attack, engine_limits
from alignsec.spec.attack import Attack
from alignsec.spec.preprocessing import Preprocessing
from submit.requests import estimate
from submit.requests.estimate import InputSizes
from submit.requests.measurements import Measurements
from tests import tiny


def test_the_engine_and_the_estimate_use_the_same_limits():
    assert settings.SLOTS is attack.SLOTS is engine_limits.SLOTS
    assert Settings().slots == Attack.model_validate({"method": "clean"}).batch == engine_limits.SLOTS
    for name in ("CPU_BACKWARD", "CPU_SAVED_BYTES", "SEARCH_IMAGES"):
        assert getattr(memory, name) is getattr(estimate, name) is getattr(engine_limits, name)


def test_the_estimate_counts_as_many_images_as_the_engine_has_slots():
    """Expect more memory for each image of the batch, also above 64, which was the limit of earlier estimates."""
    sizes, measured = InputSizes(weights=10_000, images=10_000, code=10_000), Measurements([])
    preprocessing = Preprocessing(
        **{**tiny.GREY, "input_size": (3, 64, 64), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    )

    def megabytes(batch: int) -> int:
        pair = tiny.pair(
            source="timm:resnet18", options={}, preprocessing=preprocessing, attack=tiny.attack(batch=batch)
        )
        return estimate.estimate_resources(pair, sizes, 1000, measured, "cpu").memory_mb

    assert megabytes(8) < megabytes(64) < megabytes(100) < megabytes(200)


def test_the_evaluator_gives_the_engine_the_attack_s_batch(monkeypatch):
    given = []
    monkeypatch.setattr(evaluator.engine, "evaluate", lambda task, resume_from, settings: given.append(settings))
    task = type("Task", (), {"attack": tiny.attack(batch=7)})()
    evaluator.evaluate(task)
    assert given[0].slots == 7
