"""The rules of the house, read from the source of every file."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.paths import CHECKOUT

ROOMS = ("alignsec", "jobs", "submit", "aggregate")
PLACES = (*ROOMS, "studies", "benchmarks")
FILES = sorted(path for place in PLACES for path in (CHECKOUT / place).rglob("*.py"))
NAMES = [path.relative_to(CHECKOUT).as_posix() for path in FILES]
HEAVY = {"torch", "torchvision", "timm", "pyautoattack", "safetensors", "numpy", "pandas", "matplotlib", "scipy"}
TORCH_IN = ("alignsec/models/", "alignsec/evaluation/", "alignsec/engine/", "alignsec/catalogue/generate/")
"""Folders whose files may import torch."""
TORCH_IN_JOBS = {"jobs/pair_evaluation.py", "jobs/provenance.py"}
LIBRARIES = {name.removesuffix(".py").replace("/", ".") for name in NAMES if name.startswith("alignsec/")}


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((CHECKOUT / name).read_text(encoding="utf-8"), name)


def imports(name: str) -> Iterator[str]:
    """Every module that a file imports, at its top or later; `from a import b` gives a and a.b."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} has a relative import; write the whole path"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages(name: str) -> set[str]:
    return {module.partition(".")[0] for module in imports(name)}


def is_entry_point(name: str) -> bool:
    """Whether a file is started with `python -m`: it ends in a test of `__name__`."""
    last = tree(name).body[-1]
    return isinstance(last, ast.If) and ast.unparse(last.test) == "__name__ == '__main__'"


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(ROOMS)])
def test_a_room_imports_no_room_but_alignsec(name: str):
    own = name.partition("/")[0]
    assert packages(name) & {*ROOMS, "studies", "benchmarks", "tests"} <= {own, "alignsec"}


def test_alignsec_imports_no_room_at_all():
    """The library is below every room."""
    for name in NAMES:
        if name.startswith("alignsec/"):
            assert not packages(name) & (set(ROOMS) - {"alignsec"}), name


def test_submit_reaches_nothing_heavy_through_alignsec():
    """Followed import by import, whatever this machine has installed."""
    todo = [name for name in NAMES if name.startswith("submit/")]
    seen = set(todo)
    while todo:
        name = todo.pop()
        assert not packages(name) & HEAVY, f"{name} is reached from submit and imports what an access point lacks"
        for module in imports(name):
            found = f"{module.replace('.', '/')}.py"
            if module in LIBRARIES and found not in seen:
                seen.add(found)
                todo.append(found)
    assert "alignsec/study/study.py" in seen


def test_the_submit_command_loads_nothing_heavy():
    """The same, seen in the modules of a Python that has imported it."""
    program = "import sys, submit.__main__; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "submit" in loaded
    assert not loaded & HEAVY


def test_pandas_and_matplotlib_live_in_aggregate():
    for name in NAMES:
        if packages(name) & {"pandas", "matplotlib"}:
            assert name.startswith(("aggregate/", "benchmarks/")), name


def test_torch_lives_in_the_folders_that_compute():
    for name in NAMES:
        if name.startswith(ROOMS) and packages(name) & {"torch", "torchvision", "timm", "pyautoattack"}:
            assert name.startswith(TORCH_IN) or name in TORCH_IN_JOBS, name


def test_one_broad_except_in_the_house():
    """The job's, which turns an error into a recorded failure. One that tidies up and raises again is none."""
    broad = []
    for name in NAMES:
        for node in ast.walk(tree(name)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = "" if node.type is None else ast.unparse(node.type)
            raises_again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            if caught in {"", "Exception", "BaseException"} and not raises_again:
                broad.append(name)
    assert broad == ["jobs/evaluate.py"]


@pytest.mark.parametrize("name", NAMES)
def test_only_entry_points_read_arguments_or_the_environment(name: str):
    if is_entry_point(name):
        return
    assert "argparse" not in packages(name)
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in {"os.environ", "os.environb", "os.getenv", "sys.argv"}, node.lineno


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_a_noun(name: str):
    assert Path(name).stem.strip("_").lower() not in {
        "utils",
        "util",
        "helpers",
        "helper",
        "common",
        "manager",
        "misc",
    }


@pytest.mark.parametrize("name", NAMES)
def test_nothing_prints(name: str):
    """Entry points write through a console or sys.stdout.write."""
    calls = [node.func for node in ast.walk(tree(name)) if isinstance(node, ast.Call)]
    assert not [func.lineno for func in calls if isinstance(func, ast.Name) and func.id == "print"]


def test_files_are_short():
    """Most files are under 200 lines; a house where one in ten is longer has grown rooms without doors."""
    long = [path.name for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > 200]
    assert len(long) <= len(FILES) // 10, long
