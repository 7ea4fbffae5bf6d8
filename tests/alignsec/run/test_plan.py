"""The plan of a run and its file, plan.json."""

import json
from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan, PlannedPair, PlannedScores
from alignsec.schema import StrictModel
from alignsec.spec.pair import File, Pair
from tests.tiny import attack, pair

PLAN = Plan(
    name="r",
    title="A run",
    seed=3,
    study_sha256="1" * 64,
    code_sha256="2" * 64,
    written="2025-11-23T20:00:00+00:00",
    images=File(name="images.tar", sha256="2" * 64),
    image_count=4,
    scores=PlannedScores(source="scores.csv", sha256="3" * 64, label="made up"),
    planned=tuple(PlannedPair(pair=pair(name=name), inputs=("/data/w.pt",)) for name in ("b", "a", "ü")),
)


def test_a_plan_is_equal_after_writing_and_reading(tmp_path: Path):
    PLAN.write(RunFolder(tmp_path))
    assert Plan.read(RunFolder(tmp_path)) == PLAN


def test_a_plan_iterates_over_its_pairs_in_the_order_of_the_study():
    assert [one.model.name for one in PLAN] == ["b", "a", "ü"]


def test_a_folder_without_a_plan_is_not_a_run_folder(tmp_path: Path):
    with pytest.raises(ConfigErrors, match=r"is not a run folder: it has no plan\.json; make submit"):
        Plan.read(RunFolder(tmp_path))


def test_shared_parts_are_stored_once(tmp_path: Path):
    """The plan of 100,000 pairs takes a few megabytes in the file and in memory."""
    folder = RunFolder(tmp_path)
    pairs = [pair(name=name, attack=attack(name=f"attack {n}")) for name in "ab" for n in range(3)]
    PLAN.model_copy(update={"planned": tuple(PlannedPair(pair=one, inputs=()) for one in pairs)}).write(folder)
    content = json.loads(folder.plan.read_bytes())
    assert [len(content[part]) for part in ("models", "attacks", "packs", "planned")] == [2, 3, 1, 6]
    back = list(Plan.read(folder))
    assert [one.id for one in back] == [one.id for one in pairs]
    assert len({id(one.model) for one in back}) == 2
    assert len({id(one.attack) for one in back}) == 3


def test_writing_a_plan_serialises_each_shared_part_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Otherwise the time would be that of all pairs, not that of all models and attacks."""
    count = 0
    dump = StrictModel.model_dump_json

    def count_dump(part: StrictModel) -> str:
        nonlocal count
        count += 1
        return dump(part)

    model, attacks = pair().model, [attack(name=f"attack {number}") for number in range(2)]
    images = File(name="images.tar", sha256="2" * 64)
    pairs = [Pair(model=model, attack=attacks[number % 2], images=images, seed=number) for number in range(50)]
    plan = PLAN.model_copy(update={"planned": tuple(PlannedPair(pair=one, inputs=()) for one in pairs)})
    monkeypatch.setattr(StrictModel, "model_dump_json", count_dump)
    plan.write(RunFolder(tmp_path))
    assert count == 5  # the model, two attacks, the pack and the file
    assert list(Plan.read(RunFolder(tmp_path))) == pairs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 1}, r"plan\.json of another version \(1 differences\)"),
        ({"image_count": 0}, r"plan\.json of another version"),
        ({"new": 1}, r"plan\.json of another version"),
        ({"planned": [{}]}, r"plan\.json of another version"),
        ({"models": []}, "an index is out of range"),
    ],
)
def test_a_plan_of_another_version_is_refused(tmp_path: Path, change: dict[str, object], message: str):
    folder = RunFolder(tmp_path)
    PLAN.write(folder)
    folder.plan.write_text(json.dumps({**json.loads(folder.plan.read_bytes()), **change}), encoding="utf-8")
    with pytest.raises(ConfigErrors, match=message):
        Plan.read(folder)


def test_a_truncated_plan_is_refused(tmp_path: Path):
    folder = RunFolder(tmp_path)
    PLAN.write(folder)
    folder.plan.write_bytes(folder.plan.read_bytes()[:-100])
    with pytest.raises(ConfigErrors):
        Plan.read(folder)


def test_a_pair_whose_parts_contradict_each_other_is_refused(tmp_path: Path):
    """Each part is valid alone: a pack of corrupted images for an attack that needs none. A fuzzer found this."""
    folder = RunFolder(tmp_path)
    PLAN.write(folder)
    content = json.loads(folder.plan.read_bytes())
    content["planned"][0]["corrupted"] = 0
    folder.plan.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigErrors, match=r"inconsistent plan\.json: a corruption needs"):
        Plan.read(folder)
