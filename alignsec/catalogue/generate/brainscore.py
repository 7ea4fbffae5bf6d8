"""Writes brainscore.csv: the names in Brain-Score's vision registry, and what their plugins' source tells of them.

Runs in an environment that has brainscore_vision (`make brainscore`), and reads its files without importing any.
"""

import ast
import csv
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from alignsec.catalogue.brainscore import COLUMNS

REGISTERED = re.compile(r"""model_registry\[\s*["']([^"'{}]+)["']\s*\]\s*=""")
"""As brainscore_core.plugin_management.import_plugin looks for a name, which may hold no variable."""
LOADER = "load_preprocess_images"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Defaults of brainscore_vision.model_helpers.activations.pytorch.torchvision_preprocess."""


def rows(models: Path) -> Iterator[tuple[str, ...]]:
    """One row a registered name, sorted; preprocessing is empty where its plugin does not use the one loader with
    plain arguments, the same everywhere in it."""
    found: dict[str, str] = {}
    for plugin in sorted(models.iterdir()):
        init = plugin / "__init__.py"
        if init.is_file():
            for name in REGISTERED.findall(init.read_text(encoding="utf-8")):
                # A name that two plugins register is one that Brain-Score itself refuses to load.
                found[name] = "" if name in found else plugin.name
    for name, plugin_name in sorted(found.items()):
        if plugin_name:
            yield name, plugin_name, *_preprocessing(models / plugin_name)


def _preprocessing(plugin: Path) -> tuple[str, ...]:
    told = set()
    for path in sorted(plugin.rglob("*.py")):
        if path.name.startswith("test"):
            continue
        told |= set(_told(ast.parse(path.read_bytes(), str(path))))
    (only,) = told if len(told) == 1 else (None,)
    return only or ("",) * 6


def _told(tree: ast.Module) -> Iterator[tuple[str, ...] | None]:
    """Of each way a file preprocesses images: a catalogue's fields, or None where they are not plain to see."""
    constants = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and "preprocess" in node.name:
            yield None  # one of its own
        if isinstance(node, ast.Call) and any(keyword.arg == "preprocessing" for keyword in node.keywords):
            value = next(keyword.value for keyword in node.keywords if keyword.arg == "preprocessing")
            if not isinstance(value, ast.Name):
                yield _of_partial(value, constants)
        if isinstance(node, ast.Assign) and any("preprocess" in ast.unparse(target) for target in node.targets):
            yield _of_partial(node.value, constants)


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Names that are given one value in the whole file."""
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                values.setdefault(ast.unparse(target), []).append(node.value)
        if isinstance(node, ast.arg):
            values.setdefault(node.arg, []).append(ast.Name(node.arg))  # an argument is whatever it is called with
    return {name: given[0] for name, given in values.items() if len({ast.unparse(value) for value in given}) == 1}


def _of_partial(value: ast.expr, constants: dict[str, ast.expr]) -> tuple[str, ...] | None:
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) in {"functools.partial", "partial"}):
        return None
    if [ast.unparse(argument) for argument in value.args] != [LOADER]:
        return None
    given = {}
    for keyword in value.keywords:
        plain = constants.get(keyword.value.id) if isinstance(keyword.value, ast.Name) else keyword.value
        try:
            given[keyword.arg] = ast.literal_eval(plain or keyword.value)
        except ValueError:
            return None
    return _fields(given)


def _fields(given: dict[str | None, object]) -> tuple[str, ...] | None:
    """A catalogue's fields, as torchvision_preprocess_input reads the arguments."""
    size, kind = given.pop("image_size", None), given.pop("preprocess_type", "imagenet")
    mean, std = given.pop("normalize_mean", MEAN), given.pop("normalize_std", STD)
    if given or not isinstance(size, int):
        return None
    crop_pct, crop_mode = 1.0, "squash"
    if kind == "inception":
        mean = std = (0.5, 0.5, 0.5)
        crop_pct, crop_mode = size / int(size * 256 / 224), "center"
    elif kind != "imagenet":
        return None
    if not all(isinstance(values, tuple | list) and len(values) == 3 for values in (mean, std)):
        return None
    # Of literals in source text: their type is what the check above has seen.
    texts = (" ".join(repr(float(value)) for value in values) for values in (mean, std))  # type: ignore[attr-defined]
    return f"3x{size}x{size}", *texts, "bilinear", repr(crop_pct), crop_mode


def write(models: Path, file: TextIO) -> None:
    """The whole catalogue as CSV."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows(models))


def installed() -> Path:
    """The folder of the installed plugins. Raises ModuleNotFoundError."""
    spec = find_spec("brainscore_vision")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("brainscore_vision is not installed here; make brainscore makes its environment")
    return Path(spec.origin).parent / "models"


if __name__ == "__main__":
    write(installed(), sys.stdout)
