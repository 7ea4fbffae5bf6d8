"""Generator of brainscore.csv: the names in Brain-Score's vision registry and the preprocessing in their source.

It runs in an environment that has brainscore_vision (`make brainscore`) and reads its files without importing
them.
"""

import ast
import csv
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from alignsec.catalogue.brainscore import COLUMNS
from alignsec.catalogue.brainscore_registry import group_folders, read_registrations

LOADER = "load_preprocess_images"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Defaults of brainscore_vision.model_helpers.activations.pytorch.torchvision_preprocess."""
Fields = tuple[str, ...]
"""The preprocessing columns of a catalogue row: input_size, mean, std, interpolation, crop_pct, crop_mode."""


def rows(package: Path) -> Iterator[Fields]:
    """Yield one row per model, sorted by name.

    Ambiguous names are left out. The preprocessing columns are empty unless the whole plugin uses one call of the
    standard loader with literal arguments.

    Args:
        package: The folder brainscore_vision.

    Raises:
        RegistryError: If the package has no plugin folders.
    """
    for name, folders in sorted(group_folders(read_registrations(package)).items()):
        if len(folders) == 1:
            yield name, folders[0], *_plugin_preprocessing(package / "models" / folders[0])


def _plugin_preprocessing(plugin: Path) -> Fields:
    """Return the columns that all preprocessing in a plugin's source agrees on; empty strings otherwise."""
    found = set()
    for path in sorted(plugin.rglob("*.py")):
        if path.name.startswith("test"):
            continue
        found |= set(_file_preprocessing(ast.parse(path.read_bytes(), str(path))))
    (only,) = found if len(found) == 1 else (None,)
    return only or ("",) * 6


def _file_preprocessing(tree: ast.Module) -> Iterator[Fields | None]:
    """Yield the columns of each preprocessing in a file, or None where the source does not show them."""
    constants = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and "preprocess" in node.name:
            yield None  # a function of the plugin
        if isinstance(node, ast.Call) and any(keyword.arg == "preprocessing" for keyword in node.keywords):
            value = next(keyword.value for keyword in node.keywords if keyword.arg == "preprocessing")
            if not isinstance(value, ast.Name):
                yield _parse_partial(value, constants)
        if isinstance(node, ast.Assign) and any("preprocess" in ast.unparse(target) for target in node.targets):
            yield _parse_partial(node.value, constants)


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Return the names that have a single value in the whole file."""
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                values.setdefault(ast.unparse(target), []).append(node.value)
        if isinstance(node, ast.arg):
            values.setdefault(node.arg, []).append(ast.Name(node.arg))  # its value depends on the caller
    return {name: given[0] for name, given in values.items() if len({ast.unparse(value) for value in given}) == 1}


def _parse_partial(value: ast.expr, constants: dict[str, ast.expr]) -> Fields | None:
    """Return the columns of `functools.partial(load_preprocess_images, ...)`; None for any other expression."""
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) in {"functools.partial", "partial"}):
        return None
    if [ast.unparse(argument) for argument in value.args] != [LOADER]:
        return None
    arguments = {}
    for keyword in value.keywords:
        constant = constants.get(keyword.value.id) if isinstance(keyword.value, ast.Name) else keyword.value
        try:
            arguments[keyword.arg] = ast.literal_eval(constant or keyword.value)
        except ValueError:
            return None
    return _fields(arguments)


def _fields(arguments: dict[str | None, object]) -> Fields | None:
    """Return the columns for the loader's arguments, interpreted as torchvision_preprocess_input does."""
    size, kind = arguments.pop("image_size", None), arguments.pop("preprocess_type", "imagenet")
    mean, std = arguments.pop("normalize_mean", MEAN), arguments.pop("normalize_std", STD)
    if arguments or not isinstance(size, int):
        return None
    crop_pct, crop_mode = 1.0, "squash"
    if kind == "inception":
        mean = std = (0.5, 0.5, 0.5)
        crop_pct, crop_mode = size / int(size * 256 / 224), "center"
    elif kind != "imagenet":
        return None
    if not all(isinstance(values, tuple | list) and len(values) == 3 for values in (mean, std)):
        return None
    # The values are literals; mypy does not see the type check above.
    texts = (" ".join(repr(float(value)) for value in values) for values in (mean, std))  # type: ignore[attr-defined]
    return f"3x{size}x{size}", *texts, "bilinear", repr(crop_pct), crop_mode


def write(package: Path, file: TextIO) -> None:
    """Write the catalogue of the package folder as CSV."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows(package))


def find_package() -> Path:
    """Return the folder of the installed brainscore_vision.

    Raises:
        ModuleNotFoundError: If it is not installed.
    """
    spec = find_spec("brainscore_vision")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("brainscore_vision is not installed; make brainscore creates its environment")
    return Path(spec.origin).parent


if __name__ == "__main__":
    write(find_package(), sys.stdout)
