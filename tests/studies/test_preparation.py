"""The demo's assets are complete, replaced as a whole, and made only when needed."""

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

from alignsec.command import INPUT_ERROR
from alignsec.errors import ConfigErrors
from studies.demo import __main__ as command
from studies.demo import manifest, training
from studies.demo.networks import STUDY_FILE, read_networks
from studies.demo.preparation import make_assets
from studies.demo.training import Recipe
from tests.paths import CHECKOUT

NAMES = ["resnet-plain", "vit-robust"]


@pytest.fixture(scope="module")
def networks():
    """Two of the study's networks."""
    return [network for network in read_networks(STUDY_FILE) if network.name in NAMES]


@pytest.fixture(scope="module")
def made(networks, tmp_path_factory):
    """Their assets after one epoch each, and the models that were reported."""
    folder = tmp_path_factory.mktemp("demo") / "assets"
    reported = []
    recipes = {name: Recipe(epochs=1) for name in NAMES}
    make_assets(folder, networks, "sources", processes=2, on_trained=reported.append, recipes=recipes)
    return folder, reported


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_assets_are_the_files_that_the_study_names(made):
    folder, reported = made
    assert list_names(folder) == ["images", "manifest.json", "scores.csv", "weights"]
    assert list_names(folder / "weights") == [f"{name}.safetensors" for name in NAMES]
    assert len(list((folder / "images").glob("*.png"))) == 400
    assert sorted(model.name for model in reported) == NAMES
    lines = (folder / "scores.csv").read_text().splitlines()[1:]
    assert sorted(row["Model"] for row in csv.DictReader(lines)) == NAMES


def test_assets_are_readable_by_all_users(made):
    """Jobs of a pool run as another user."""
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in made[0].rglob("*"))


def test_no_partial_folder_remains(made):
    assert list_names(made[0].parent) == ["assets"]


@pytest.mark.parametrize("changed", ["scores.csv", "weights/resnet-plain.safetensors", "images/labels.csv"])
def test_changed_or_missing_file_is_detected(changed, made, tmp_path):
    folder = tmp_path / "assets"
    subprocess.run(["cp", "-r", made[0], folder], check=True)
    assert manifest.is_current(folder, "sources")
    assert not manifest.is_current(folder, "other sources")
    with (folder / changed).open("ab") as file:
        file.write(b" ")
    assert not manifest.is_current(folder, "sources")
    (folder / changed).unlink()
    assert not manifest.is_current(folder, "sources")


def test_folder_without_a_readable_manifest_is_not_current(tmp_path):
    assert not manifest.is_current(tmp_path / "nowhere", "sources")
    (tmp_path / manifest.NAME).write_text("{")
    assert not manifest.is_current(tmp_path, "sources")


def test_digest_depends_on_the_networks(networks):
    assert manifest.digest_sources(networks) == manifest.digest_sources(networks)
    assert manifest.digest_sources(networks) != manifest.digest_sources(networks[:1])
    wider = replace(networks[0], options={**networks[0].options, "stem_width": 4})
    assert manifest.digest_sources(networks) != manifest.digest_sources([wider, *networks[1:]])


def test_folder_with_other_files_is_not_changed(networks, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(manifest.OccupiedError, match="did not make"):
        make_assets(tmp_path, networks, "", processes=1, on_trained=lambda _: None)
    assert list_names(tmp_path) == ["thesis.tex"]


def test_model_without_a_recipe_is_an_error_before_training(networks, tmp_path):
    with pytest.raises(ConfigErrors, match='"vit-robust" has no recipe'):
        make_assets(
            tmp_path / "assets",
            networks,
            "",
            processes=1,
            on_trained=lambda _: None,
            recipes={NAMES[0]: Recipe(epochs=1)},
        )
    assert list_names(tmp_path) == []


def test_command_makes_the_assets_once(made, monkeypatch, tmp_path, capsys):
    """The second run reports that the assets are up to date. Weights do not depend on the other models."""
    head, model, *_ = STUDY_FILE.read_text().split("[[models]]")
    attacks = "[[attacks]]" + STUDY_FILE.read_text().partition("[[attacks]]")[2]
    short = tmp_path / "demo.toml"
    short.write_text(head + "[[models]]" + model + attacks)
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


def test_previous_assets_are_replaced_as_a_whole(tmp_path):
    """No file and no folder of the previous assets remains."""
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / manifest.NAME).write_text("{}")
    (folder / "old.png").touch()
    partial = manifest.create_partial_folder(folder)
    (partial / "new.png").touch()
    manifest.replace_folder(partial, folder)
    assert list_names(folder) == ["new.png"]
    assert list_names(tmp_path) == ["assets"]


def test_command_reports_an_invalid_study(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "STUDY_FILE", tmp_path / "gone.toml")
    assert command.main([str(tmp_path / "assets")]) == INPUT_ERROR
    assert "gone.toml" in capsys.readouterr().err
    (tmp_path / "gone.toml").write_text("name = ")
    assert command.main([str(tmp_path / "assets")]) == INPUT_ERROR
    assert list_names(tmp_path) == ["gone.toml"]


SLOW = """
import sys
from pathlib import Path
from studies.demo.networks import STUDY_FILE, read_networks
from studies.demo.preparation import make_assets
from studies.demo.training import Recipe
if __name__ == "__main__":
    networks = read_networks(STUDY_FILE)[:2]
    recipes = {network.name: Recipe(epochs=10_000) for network in networks}
    make_assets(Path(sys.argv[1]), networks, "", processes=2, on_trained=print, recipes=recipes)
"""


def members(group: int) -> set[int]:
    """Return the process ids of a group that are not dead."""
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
        assert time.monotonic() < end, "the condition was not met within a minute"
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to list processes")
@pytest.mark.parametrize(("signal_name", "partial_folders"), [("SIGKILL", 1), ("SIGINT", 0)])
def test_interrupted_run_keeps_the_previous_assets_and_leaves_no_process(signal_name, partial_folders, tmp_path):
    """SIGKILL leaves a partial folder, which the next run deletes; Ctrl-C leaves none."""
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / manifest.NAME).write_text(json.dumps("old"))
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    run = subprocess.Popen(
        [sys.executable, script, folder],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        start_new_session=True,
        stderr=subprocess.PIPE,
    )
    # The run, multiprocessing's resource tracker, and two workers.
    wait_until(lambda: list(tmp_path.glob(".assets.partial-*/weights")) and len(members(run.pid)) >= 4)
    if signal_name == "SIGKILL":
        run.kill()
    else:
        os.killpg(run.pid, signal.SIGINT)  # a terminal signals the whole group
    try:
        run.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)  # otherwise the workers would train on
        raise
    wait_until(lambda: not members(run.pid))
    assert list_names(folder) == [manifest.NAME]
    assert [path.name for path in tmp_path.glob(".*")] == [f".assets.partial-{run.pid}"] * partial_folders
    new = manifest.create_partial_folder(folder)
    assert [path.name for path in tmp_path.glob(".*")] == [new.name]
