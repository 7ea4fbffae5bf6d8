"""The reader of Brain-Score's registry, and that the catalogue and the table of `make registry` agree on it."""

import io
import sys
import zipfile
from pathlib import Path

import pytest

from aggregate.registry import join_scores
from aggregate.scores import scores
from alignsec.catalogue import brainscore_registry
from alignsec.catalogue.brainscore_registry import RegistryError, read_registrations
from alignsec.catalogue.generate import brainscore as generator
from alignsec.models import brainscore
from alignsec.models.errors import ModelError
from tests.alignsec.catalogue.registry_package import write_package

SAME_NAME_TWICE = {
    "a": 'model_registry["twice"] = f\nmodel_registry["only_a"] = f\n',
    "b": 'model_registry.update({"twice": f, "only_b": f}, keyword=f, **more)\nmodel_registry.update(others)\n',
    "c": 'model_registry["same"] = f\nmodel_registry["same"] = g\nmodel_registry.get("nothing")\n',
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return write_package(tmp_path)


def test_every_registration_is_read_without_running_it(package: Path):
    assert [(r.folder, r.name, r.line, r.constant) for r in read_registrations(package)] == [
        ("a_folder", "two", 2, True),
        ("a_folder", "f'x_{n}'", 4, False),
        ("a_folder", "late", 5, True),
        ("b_folder", "two", 2, True),
        ("b_folder", "b-one", 3, True),
        ("broken", "is not valid Python: invalid syntax (<unknown>, line 1)", 1, False),
    ]
    assert read_registrations(package.parent) == read_registrations(package)


def test_a_wheel_has_the_registrations_of_its_folder(package: Path, tmp_path: Path):
    wheel = tmp_path / "b.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in package.rglob("*.py"):
            archive.write(path, path.relative_to(package.parent))
        archive.writestr("brainscore_vision/models/a_folder/deeper/__init__.py", "model_registry['deep'] = 1")
        archive.writestr("tests/models/t/__init__.py", "model_registry['test'] = 1")
    assert read_registrations(wheel) == read_registrations(package)


@pytest.mark.parametrize("name", ["empty", "no.whl"])
def test_a_package_without_plugins_is_an_error(tmp_path: Path, name: str):
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.whl").write_bytes(b"no zip")
    with pytest.raises(RegistryError):
        read_registrations(tmp_path / name)


def test_update_registers_its_keys_and_keywords(tmp_path: Path):
    """Arguments whose keys are not literals are reported as unread."""
    found = [r for r in read_registrations(write_package(tmp_path, SAME_NAME_TWICE)) if r.folder == "b"]
    assert {r.name for r in found if r.constant} == {"twice", "only_b", "keyword"}
    assert {r.name for r in found if not r.constant} == {"more", "others"}


def test_a_name_in_two_folders_is_ambiguous(tmp_path: Path):
    """The form of the registration makes no difference; a second one in the same folder is no ambiguity."""
    package = write_package(tmp_path, SAME_NAME_TWICE)
    folders = brainscore_registry.group_folders(read_registrations(package))
    assert folders == {
        "twice": ["a", "b"],
        "only_a": ["a"],
        "only_b": ["b"],
        "keyword": ["b"],
        "same": ["c"],
    }
    assert brainscore_registry.find_folder(package, "only_b") == "b"
    for name, message in (("twice", "in several folders: a, b"), ("nothing", "has no model nothing")):
        with pytest.raises(RegistryError, match=message):
            brainscore_registry.find_folder(package, name)


def test_the_catalogue_and_the_table_agree(tmp_path: Path):
    """Both take the same names from the same folders."""
    package = write_package(tmp_path, SAME_NAME_TWICE)
    written = io.StringIO()
    generator.write(package, written)
    catalogue = {tuple(line.split(",")[:2]) for line in written.getvalue().splitlines()[1:]}
    text = "Model,V1\n" + "".join(f"{name},1\n" for name in ("twice", "only_a", "only_b", "keyword", "same"))
    table = join_scores(read_registrations(package), scores.parse_scores(text.encode()))
    scored = table[table["state"] == "scored"]
    assert catalogue == set(zip(scored["registry_name"], scored["folder"], strict=True))
    assert table[table["registry_name"] == "twice"]["state"].tolist() == ["ambiguous", "ambiguous"]
    assert table[table["registry_name"] == "same"]["state"].tolist() == ["scored", "registered before"]


def test_a_job_loads_the_plugin_that_the_catalogue_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also a plugin that registers its model with `update`; an ambiguous name is refused."""
    register = "from brainscore_vision import model_registry\n"
    package = write_package(
        tmp_path,
        {
            "a": f"{register}model_registry.update({{'late': lambda: 'wrapper', 'twice': None}})\n",
            "b": f"{register}model_registry['twice'] = None\n",
        },
    )
    (package / "__init__.py").write_text("model_registry = {}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "brainscore_vision"]:
        monkeypatch.delitem(sys.modules, name)
    assert brainscore.load_wrapper("late") == "wrapper"
    with pytest.raises(ModelError, match="in several folders"):
        brainscore.load_wrapper("twice")
    for name in [name for name in sys.modules if name.partition(".")[0] == "brainscore_vision"]:
        monkeypatch.delitem(sys.modules, name)
