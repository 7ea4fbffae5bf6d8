"""The rules of docs/architecture.md, checked on the source of every file."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests import slow
from tests.paths import CHECKOUT

ROOMS = ("alignsec", "jobs", "submit", "aggregate")
SOURCE_FOLDERS = (*ROOMS, "studies", "benchmarks")
FILES = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for folder in SOURCE_FOLDERS
    for path in (CHECKOUT / folder).rglob("*.py")
)
TEST_FILES = sorted(path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "tests").rglob("*.py"))
HEAVY = {"torch", "torchvision", "timm", "pyautoattack", "safetensors", "numpy", "pandas", "matplotlib", "scipy"}
TORCH_FOLDERS = (
    *("alignsec/models/", "alignsec/evaluation/", "alignsec/engine/", "alignsec/api/"),
    "alignsec/catalogue/generate/",
)
"""Folders whose files may import torch."""
TORCH_FILES = {
    *("jobs/device.py", "jobs/model_files.py", "jobs/pair_evaluation.py", "jobs/provenance.py"),
    *("jobs/verification/classification.py", "jobs/verification/examples_folder.py"),
    *("jobs/verification/models.py", "jobs/verification/run_claims.py"),
}
LIBRARY_MODULES = {name.removesuffix(".py").replace("/", ".") for name in FILES if name.startswith("alignsec/")}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
VAGUE_FUNCTIONS = {"of", "all", "tell", "way"}
FILE_LINES, FUNCTION_LINES, BRANCHES = 300, 50, 15
"""Upper limits of a file and of a function."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def parse(name: str) -> ast.Module:
    return ast.parse((CHECKOUT / name).read_text(encoding="utf-8"), name)


def imported_modules(name: str) -> Iterator[str]:
    """Yield every module that a file imports; `from a import b` yields a and a.b."""
    for node in ast.walk(parse(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} has a relative import; write the whole path"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_packages(name: str) -> set[str]:
    return {module.partition(".")[0] for module in imported_modules(name)}


def is_entry_point(name: str) -> bool:
    """Return whether a file can be run with `python -m`: it ends with a test of `__name__`."""
    last = parse(name).body[-1]
    return isinstance(last, ast.If) and ast.unparse(last.test) == "__name__ == '__main__'"


def functions(name: str) -> list[Function]:
    return [node for node in ast.walk(parse(name)) if isinstance(node, Function)]


def count_branches(function: Function) -> int:
    """Count conditions, loops, handlers, cases, assertions, comprehensions with filters, and boolean operators."""
    count = 0
    for node in ast.walk(function):
        if isinstance(
            node, ast.If | ast.For | ast.While | ast.IfExp | ast.ExceptHandler | ast.match_case | ast.Assert
        ):
            count += 1
        elif isinstance(node, ast.comprehension):
            count += 1 + len(node.ifs)
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
    return count


def test_a_folder_imports_only_itself_and_alignsec():
    """Benchmarks measure all rooms, so they may import them."""
    for name in FILES:
        own = name.partition("/")[0]
        allowed = {*SOURCE_FOLDERS, "tests"} if own == "benchmarks" else {own, "alignsec"}
        assert imported_packages(name) & {*SOURCE_FOLDERS, "tests"} <= allowed, name


def test_alignsec_imports_no_other_folder():
    """The library is below all other folders."""
    for name in FILES:
        if name.startswith("alignsec/"):
            assert not imported_packages(name) & ({*SOURCE_FOLDERS} - {"alignsec"}), name


def test_submit_needs_no_heavy_library_through_alignsec():
    """All imports are followed, independent of the libraries that this machine has."""
    todo = [name for name in FILES if name.startswith("submit/")]
    seen = set(todo)
    while todo:
        name = todo.pop()
        heavy = imported_packages(name) & HEAVY
        assert not heavy, (
            f"submit imports {name}, which imports {', '.join(heavy)}; an access point does not have it"
        )
        for module in imported_modules(name):
            file = f"{module.replace('.', '/')}.py"
            if module in LIBRARY_MODULES and file not in seen:
                seen.add(file)
                todo.append(file)
    assert "alignsec/study/study.py" in seen


def test_submit_command_loads_no_heavy_library():
    """A Python process that imported the command has no heavy library in its modules."""
    program = "import sys, submit.__main__; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "submit" in loaded
    assert not loaded & HEAVY


def test_pandas_and_matplotlib_are_imported_only_where_tables_are_made():
    """These are aggregate, the benchmarks, and the data frames of the Python API."""
    for name in FILES:
        if imported_packages(name) & {"pandas", "matplotlib"}:
            assert name.startswith(("aggregate/", "benchmarks/", "alignsec/api/")), name


def test_torch_is_imported_only_in_the_folders_that_compute():
    for name in FILES:
        if name.startswith(ROOMS) and imported_packages(name) & {"torch", "torchvision", "timm", "pyautoattack"}:
            assert name.startswith(TORCH_FOLDERS) or name in TORCH_FILES, name


def test_one_handler_catches_every_exception():
    """It is the job's, which records the error as a failure. Handlers that end with `raise` are excluded."""
    broad = []
    for name in FILES:
        for node in ast.walk(parse(name)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = "" if node.type is None else ast.unparse(node.type)
            raises_again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            if caught in {"", "Exception", "BaseException"} and not raises_again:
                broad.append(name)
    assert broad == ["jobs/evaluate.py"]


def test_only_entry_points_read_arguments_or_the_environment():
    forbidden = {"os.environ", "os.environb", "os.getenv", "sys.argv"}
    for name in FILES:
        if is_entry_point(name):
            continue
        assert "argparse" not in imported_packages(name), name
        attributes = [node for node in ast.walk(parse(name)) if isinstance(node, ast.Attribute)]
        assert not [node.lineno for node in attributes if ast.unparse(node) in forbidden], name


def test_files_are_named_after_their_concept():
    assert not [name for name in FILES if Path(name).stem.strip("_").lower() in VAGUE_NAMES]


def test_nothing_calls_print():
    """Entry points write with a console or sys.stdout.write."""
    for name in FILES:
        calls = [node.func for node in ast.walk(parse(name)) if isinstance(node, ast.Call)]
        assert not [f"{name}:{func.lineno}" for func in calls if isinstance(func, ast.Name) and func.id == "print"]


def test_commands_escape_control_characters():
    """Entry points of commands write with TerminalConsole or `terminal.write`, which escape control characters."""
    for name in FILES:
        if name.split("/")[0] not in {"submit", "aggregate"}:
            continue
        calls = [node for node in ast.walk(parse(name)) if isinstance(node, ast.Call)]
        functions = [ast.unparse(node.func) for node in calls]
        assert "Console" not in functions, name
        if name not in {"submit/status.py", "submit/pool/__main__.py"}:  # JSON; commands for a shell
            assert not {"sys.stdout.write", "sys.stderr.write"} & set(functions), name


def test_files_are_short():
    lengths = {name: len((CHECKOUT / name).read_text(encoding="utf-8").splitlines()) for name in FILES}
    assert not {name: length for name, length in lengths.items() if length > FILE_LINES}


def test_functions_are_short():
    offenders = []
    for name in FILES:
        for function in functions(name):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            branches = count_branches(function)
            if lines > FUNCTION_LINES or branches > BRANCHES:
                offenders.append(f"{name}: {function.name}: {lines} lines, {branches} branches")
    assert not offenders


def test_function_names_can_be_searched_for():
    assert not [
        f"{name}: {function.name}"
        for name in [*FILES, *TEST_FILES]
        for function in functions(name)
        if function.name in VAGUE_FUNCTIONS
    ]


def test_docstrings_are_finished_and_cite_files_of_the_repository():
    """The design notes are not in the repository; docs/architecture.md is."""
    unknown = "DESIGN" + ".md"
    for name in [*FILES, *TEST_FILES]:
        assert unknown not in (CHECKOUT / name).read_text(encoding="utf-8"), name
        assert not (ast.get_docstring(parse(name)) or "").startswith("TODO"), name


def test_tests_share_code_through_modules_without_tests():
    """No test imports another test module or a conftest."""
    modules = {name.removesuffix(".py").replace("/", ".") for name in TEST_FILES}
    with_tests = {name for name in modules if name.rpartition(".")[2].startswith(("test_", "conftest"))}
    assert not {name: found for name in TEST_FILES if (found := with_tests & set(imported_modules(name)))}


def test_paths_of_slow_tests_exist():
    assert not [path for path in slow.PATHS if not (CHECKOUT / path).exists()]
