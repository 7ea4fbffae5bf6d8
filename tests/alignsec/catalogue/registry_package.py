"""A copy of Brain-Score's package layout whose plugins fail if they are imported."""

from pathlib import Path

PLUGINS = {
    "b_folder": "raise SystemExit\nmodel_registry['two'] = lambda: 1\nmodel_registry[\"b-one\"] = lambda: 2\n",
    "a_folder": "import brainscore_vision as b\nb.model_registry['two'] = f\n"
    "for n in names:\n    model_registry[f'x_{n}'] = f\nmodel_registry.update({'late': f})\n",
    "broken": "def (:\n",
    "other": "data_registry['no model'] = f\nx = model_registry['read']\n",
}


def write_package(folder: Path, plugins: dict[str, str] = PLUGINS) -> Path:
    """Write plugins into `brainscore_vision/models/` below a folder and return the package's folder."""
    for name, source in plugins.items():
        path = folder / "brainscore_vision/models" / name / "__init__.py"
        path.parent.mkdir(parents=True)
        path.write_text(source, encoding="utf-8")
    return folder / "brainscore_vision"
