"""The demo's assets as a whole: made aside, put in place at once, and not made again."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from studies.demo import __main__ as command
from studies.demo import manifest, training
from studies.demo.listing import STUDY_FILE, ListingError, read_models
from studies.demo.preparation import make_assets
from studies.demo.training import Recipe

NAMES = ["resnet-plain", "vit-robust"]


@pytest.fixture(scope="module")
def entries():
    """Two of the study's models."""
    return [entry for entry in read_models(STUDY_FILE) if entry.name in NAMES]


@pytest.fixture(scope="module")
def made(entries, tmp_path_factory):
    """Their assets after one epoch each, and the models in the order they were told of."""
    folder = tmp_path_factory.mktemp("demo") / "assets"
    told = []
    recipes = {name: Recipe(epochs=1) for name in NAMES}
    make_assets(folder, entries, "sources", processes=2, on_made=told.append, recipes=recipes)
    return folder, told


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_assets_are_what_the_study_names(made):
    folder, told = made
    assert listing(folder) == ["images", "manifest.json", "scores.csv", "weights"]
    assert listing(folder / "weights") == [f"{name}.safetensors" for name in NAMES]
    assert len(list((folder / "images").glob("*.png"))) == 400
    assert sorted(model.name for model in told) == NAMES
    lines = (folder / "scores.csv").read_text().splitlines()[1:]
    assert sorted(row["Model"] for row in csv.DictReader(lines)) == NAMES


def test_everybody_may_read_the_assets(made):
    """A pool's jobs run as another user."""
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in made[0].rglob("*"))


def test_nothing_is_left_beside_the_assets(made):
    assert listing(made[0].parent) == ["assets"]


@pytest.mark.parametrize("spoil", ["scores.csv", "weights/resnet-plain.safetensors", "images/labels.csv"])
def test_a_changed_or_missing_file_is_noticed(spoil, made, tmp_path):
    folder = tmp_path / "assets"
    subprocess.run(["cp", "-r", made[0], folder], check=True)
    assert manifest.is_current(folder, "sources")
    assert not manifest.is_current(folder, "other sources")
    with (folder / spoil).open("ab") as file:
        file.write(b" ")
    assert not manifest.is_current(folder, "sources")
    (folder / spoil).unlink()
    assert not manifest.is_current(folder, "sources")


def test_a_folder_without_a_readable_manifest_is_not_current(tmp_path):
    assert not manifest.is_current(tmp_path / "nowhere", "sources")
    (tmp_path / manifest.NAME).write_text("{")
    assert not manifest.is_current(tmp_path, "sources")


def test_the_digest_knows_the_models(entries):
    assert manifest.digest_sources(entries) == manifest.digest_sources(entries)
    assert manifest.digest_sources(entries) != manifest.digest_sources(entries[:1])
    wider = replace(entries[0], options={**entries[0].options, "stem_width": 4})
    assert manifest.digest_sources(entries) != manifest.digest_sources([wider, *entries[1:]])


def test_somebody_elses_folder_is_left_alone(entries, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(manifest.OccupiedError, match="did not make"):
        make_assets(tmp_path, entries, "", processes=1, on_made=lambda _: None)
    assert listing(tmp_path) == ["thesis.tex"]


def test_a_model_without_a_recipe_is_refused_before_anything_is_made(entries, tmp_path):
    with pytest.raises(ListingError, match='"vit-robust" has no recipe'):
        make_assets(
            tmp_path / "assets",
            entries,
            "",
            processes=1,
            on_made=lambda _: None,
            recipes={NAMES[0]: Recipe(epochs=1)},
        )
    assert listing(tmp_path) == []


def test_the_command_makes_the_assets_once(made, monkeypatch, tmp_path, capsys):
    """The second run finds everything there and says so. A model made alone is as one made beside others."""
    models = STUDY_FILE.read_text().split("[[models]]")
    short = tmp_path / "demo.toml"
    short.write_text(models[0] + "[[models]]" + models[1])
    monkeypatch.setattr(command, "STUDY_FILE", short)
    monkeypatch.setitem(training.RECIPES, "resnet-plain", Recipe(epochs=1))
    folder = tmp_path / "assets"
    assert command.main([str(folder), "-j", "1"]) == 0
    assert "resnet-plain: " in capsys.readouterr().out
    alone, together = (load_file(each / "weights" / "resnet-plain.safetensors") for each in (folder, made[0]))
    assert all((alone[key] == together[key]).all() for key in together)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert command.main([str(folder), "-j", "1"]) == 0
    assert "complete and up to date" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_assets_of_another_study_are_replaced_as_a_whole(tmp_path):
    """What the old manifest's folder held is gone, with nothing of it left aside."""
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / manifest.NAME).write_text("{}")
    (folder / "old.png").touch()
    partial = manifest.partial_folder(folder)
    (partial / "new.png").touch()
    manifest.put_in_place(partial, folder)
    assert listing(folder) == ["new.png"]
    assert listing(tmp_path) == ["assets"]


def test_the_command_says_what_is_wrong(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "STUDY_FILE", tmp_path / "gone.toml")
    assert command.main([str(tmp_path / "assets")]) == 1
    assert "gone.toml" in capsys.readouterr().err
    (tmp_path / "gone.toml").write_text("name = ")
    assert command.main([str(tmp_path / "assets")]) == 1
    assert listing(tmp_path) == ["gone.toml"]


SLOW = """
import sys
from pathlib import Path
from studies.demo.listing import STUDY_FILE, read_models
from studies.demo.preparation import make_assets
from studies.demo.training import Recipe
if __name__ == "__main__":
    entries = read_models(STUDY_FILE)[:2]
    recipes = {entry.name: Recipe(epochs=10_000) for entry in entries}
    make_assets(Path(sys.argv[1]), entries, "", processes=2, on_made=print, recipes=recipes)
"""


def members(group: int) -> set[int]:
    """Processes of a group that are not dead."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" (")
        except OSError:
            continue
        state, _, its_group = rest.rpartition(") ")[2].split()[:3]
        if int(its_group) == group and state not in "ZX":
            found.add(int(pid))
    return found


def wait_until(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "nothing happened for a minute"
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc, to see which processes are left")
@pytest.mark.parametrize(("way", "left"), [("kill", 1), ("Ctrl-C", 0)])
def test_a_run_that_is_ended_leaves_nothing_half_made_and_no_process(way, left, house, tmp_path):
    """The old assets stay whole; what a kill leaves beside them, the next run removes."""
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / manifest.NAME).write_text(json.dumps("old"))
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    run = subprocess.Popen(
        [sys.executable, script, folder],
        env={**os.environ, "PYTHONPATH": str(house)},
        start_new_session=True,
        stderr=subprocess.PIPE,
    )
    # The run, multiprocessing's resource tracker, and two workers.
    wait_until(lambda: list(tmp_path.glob(".assets.partial-*/weights")) and len(members(run.pid)) >= 4)
    if way == "kill":
        run.kill()
    else:
        os.killpg(run.pid, signal.SIGINT)  # a terminal tells the whole group
    run.communicate(timeout=60)
    wait_until(lambda: not members(run.pid))
    assert listing(folder) == [manifest.NAME]
    assert [path.name for path in tmp_path.glob(".*")] == [f".assets.partial-{run.pid}"] * left
    fresh = manifest.partial_folder(folder)
    assert [path.name for path in tmp_path.glob(".*")] == [fresh.name]
