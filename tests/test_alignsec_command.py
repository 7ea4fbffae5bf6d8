"""The command `alignsec`: it finds the rooms of a checkout, and says what a wheel alone does not have."""

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from alignsec import __main__ as entry
from alignsec.command import INPUT_ERROR
from tests.paths import CHECKOUT


@pytest.mark.parametrize(("command", "module"), [(name, each[0]) for name, each in entry.COMMANDS.items()])
def test_every_command_replaces_the_process_by_its_module(command, module, monkeypatch):
    """`local` is `submit` with --local. `PYTHONPATH` has the checkout first."""
    called = []
    monkeypatch.setattr(os, "execve", lambda *arguments: called.append(arguments))
    monkeypatch.setenv("PYTHONPATH", "/other")
    monkeypatch.chdir(CHECKOUT)
    if not entry.find_module(CHECKOUT, module):
        pytest.skip(f"{module} is not part of this checkout")
    entry.main([command, "runs/x", "-j", "2"])
    ((program, arguments, environment),) = called
    assert program == sys.executable
    assert arguments == [program, "-m", module, "runs/x", "-j", "2", *(["--local"] if command == "local" else [])]
    assert environment["PYTHONPATH"] == f"{CHECKOUT}{os.pathsep}/other"
    assert import_module(module)


def test_without_a_checkout_it_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(entry, "__file__", str(tmp_path / "site-packages" / "alignsec" / "__main__.py"))
    assert entry.main(["status", "runs/x"]) == INPUT_ERROR
    assert capsys.readouterr().err == (
        "alignsec status: this folder is not a checkout of the repository. The installed package is the library "
        "only; run the command in a checkout that has the module submit.status\n"
    )


def test_a_checkout_without_the_module_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "submit").mkdir()
    (tmp_path / "submit" / "__main__.py").touch()
    monkeypatch.chdir(tmp_path)
    assert entry.main(["aggregate", "runs/x"]) == INPUT_ERROR
    assert f"{tmp_path} has no aggregate" in capsys.readouterr().err


def test_it_runs_a_command_from_another_folder(tmp_path):
    """The rooms are found next to the package, and paths stay relative to the current folder."""
    done = subprocess.run(
        [sys.executable, "-m", "alignsec", "status", "runs/x"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == INPUT_ERROR
    assert "runs/x" in done.stderr


def test_an_unknown_command_lists_the_commands(capsys):
    with pytest.raises(SystemExit) as caught:
        entry.main(["run"])
    assert caught.value.code == INPUT_ERROR
    assert "'failures'" in capsys.readouterr().err


def test_the_wheel_contains_the_library_only_with_its_data():
    """The packages that setuptools finds, and the files that package-data names."""
    setuptools = pytest.importorskip("setuptools", reason="setuptools builds the wheel")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    found = project["tool"]["setuptools"]
    packages = setuptools.find_packages(str(CHECKOUT), include=found["packages"]["find"]["include"])
    assert {name.partition(".")[0] for name in packages} == {"alignsec"}
    folders = {path.parent for path in (CHECKOUT / "alignsec").rglob("*.py")}
    assert {str(folder.relative_to(CHECKOUT)).replace("/", ".") for folder in folders} == set(packages)
    data = {path.suffix for path in _data_files(CHECKOUT / "alignsec")}
    assert data <= {Path(pattern).suffix for pattern in found["package-data"]["alignsec"]}
    assert project["project"]["scripts"]["alignsec"] == "alignsec.__main__:main"


def _data_files(folder):
    return [path for path in folder.rglob("*.*") if path.is_file() and path.suffix not in {".py", ".pyc"}]
