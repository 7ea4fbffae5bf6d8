"""Run folders: every path of a run, and the plan that says what makes it complete."""

import json
from pathlib import Path

import pytest

from alignsec.mistake import Mistakes
from alignsec.pair import File
from alignsec.run_folder import Plan, Planned, PlannedScores, RunFolder
from tests.tiny import pair

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
    planned=tuple(Planned(pair=pair(name=name), inputs=("/data/w.pt",)) for name in ("b", "a", "ü")),
)


def test_a_plan_comes_back_equal(tmp_path: Path):
    PLAN.write(RunFolder(tmp_path))
    assert Plan.read(RunFolder(tmp_path)) == PLAN


def test_a_plan_is_its_pairs_in_the_studys_order():
    assert [one.model.name for one in PLAN] == ["b", "a", "ü"]


def test_a_folder_without_a_plan_is_no_run(tmp_path: Path):
    with pytest.raises(Mistakes, match=r"is not a run folder: it has no plan\.json; make submit"):
        Plan.read(RunFolder(tmp_path))


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"image_count": 0}, {"new": 1}, {"planned": [{}]}])
def test_a_plan_of_another_version_is_refused(tmp_path: Path, change: dict[str, object]):
    folder = RunFolder(tmp_path)
    folder.plan.write_text(json.dumps({**json.loads(PLAN.model_dump_json()), **change}), encoding="utf-8")
    with pytest.raises(Mistakes, match=r"plan\.json of another version"):
        Plan.read(folder)


def test_a_plan_cut_short_is_refused(tmp_path: Path):
    folder = RunFolder(tmp_path)
    folder.plan.write_bytes(PLAN.model_dump_json().encode()[:-100])
    with pytest.raises(Mistakes):
        Plan.read(folder)


def test_every_path_is_below_the_root(tmp_path: Path):
    folder = RunFolder(tmp_path)
    names = [name for name, value in vars(RunFolder).items() if isinstance(value, property)]
    paths = [getattr(folder, name) for name in names] + [folder.pair("x"), folder.outcome("x"), folder.log("x")]
    assert len(set(paths)) == len(paths) > 10
    assert all(path.is_relative_to(tmp_path) for path in paths)
