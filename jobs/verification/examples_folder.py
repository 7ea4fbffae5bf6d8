"""A folder of adversarial examples of any origin, which is verified against the models and images of a run.

The folder contains claims.csv with the columns file, model, norm and eps, and the files that it names:

- `.npy`: images, float32, N x C x H x W, in [0,1], in the order of the run's images;
- `.npz`: the same as `x_adv`; optionally `images`, the name of each image;
- `.pt`, `.pth`: the same as a tensor, or in a dictionary under `x_adv` or `adv_complete`, the key of AutoAttack's
  example script.
"""

import csv
import io
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alignsec import bounded, limits
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.models.errors import ModelError
from alignsec.models.images import ImageError
from alignsec.run import status
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan, PlannedPair
from alignsec.run.verification import Finding
from alignsec.spec.budget import Budget
from alignsec.spec.components import Norm
from alignsec.spec.verdicts import ROBUST
from jobs.verification.models import ChangedFileError, OpenModel, UnavailableError, open_model
from jobs.verification.pixels import explain_pixels

CLAIMS = "claims.csv"
_COLUMNS = ("file", "model", "norm", "eps")
_NORMS: dict[str, Norm] = {"Linf": "Linf", "L2": "L2", "L1": "L1"}
_TENSORS = ("adv_complete", "x_adv")
_LISTED = 5


class _UnreadableError(Exception):
    """A file of examples that cannot be read."""


@dataclass(frozen=True)
class ClaimRow:
    """One row of claims.csv."""

    file: str
    model: str
    norm: Norm
    eps: Budget


@dataclass
class FolderClaims:
    """Checks the examples of a folder and collects what it finds."""

    folder: RunFolder
    examples_folder: Path
    device: torch.device
    advance: Callable[[], None] = lambda: None
    """Called after each file."""
    rows: list[ClaimRow] = field(init=False)
    _found: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Read claims.csv; raise ConfigErrors with all its errors."""
        self.rows = read_claims(self.examples_folder / CLAIMS)
        self._found = {
            **dict.fromkeys(("examples", "inputs", "passes", "most_passes"), 0),
            **{name: [] for name in ("refuted", "unconfirmed", "claims")},
        }

    def results(self) -> dict[str, Any]:
        """Return the fields of the verification."""
        return self._found

    def check(self, plan: Plan) -> None:
        """Check every file against the run's models."""
        pairs: dict[str, list[PlannedPair]] = {}
        for planned in plan.planned:
            pairs.setdefault(planned.pair.model.name, []).append(planned)
        for row in self.rows:
            try:
                self._check_row(row, pairs.get(row.model, []))
            except (UnavailableError, ModelError, ImageError, _UnreadableError) as error:
                self._add("unconfirmed", row, str(error))
            except ChangedFileError as error:
                self._add("refuted", row, str(error))
            self.advance()

    def _add(self, state: str, row: ClaimRow, reason: str) -> None:
        self._found[state].append(Finding(subject=row.file, reason=reason))

    def _check_row(self, row: ClaimRow, pairs: list[PlannedPair]) -> None:
        if not pairs:
            raise UnavailableError(f"the run has no model {row.model}")
        with open_model(self.folder, pairs[0], self.device) as model:
            names, examples = read_examples(self.examples_folder / row.file)
            images = _find_images(model.images.names, names, len(examples))
            claimed, counts = self._check_pixels(row, model, images, examples)
            broken = self._classify(row, model, images, examples, claimed)
            self._found["inputs"] += model.check.inputs
            self._found["passes"] += model.check.passes
            self._found["most_passes"] = max(self._found["most_passes"], model.check.most_passes)
        robust = self._find_robust(row, pairs)
        counts |= {"adversarial": len(broken), "robust in the run": len(robust & set(broken))}
        claim = {"file": row.file, "model": row.model, "norm": row.norm, "eps": str(row.eps), **counts}
        self._found["examples"] += len(broken)
        self._found["claims"].append(claim)

    def _check_pixels(
        self, row: ClaimRow, model: OpenModel, images: list[int], examples: NDArray[Any]
    ) -> tuple[list[int], dict[str, int]]:
        """Return the positions of the rows that are changed and within the budget, and the counts of rows."""
        claimed, unchanged, reasons = [], 0, []
        for at, image in enumerate(images):
            clean = model.images.pixels[[image]][0].numpy()
            if np.array_equal(clean, examples[at]):
                unchanged += 1
            elif reason := explain_pixels(clean, examples[at], row.norm, float(row.eps)):
                reasons.append(f"{model.images.names[image]} {reason}")
            else:
                claimed.append(at)
        if reasons:
            listed = "; ".join(reasons[:_LISTED]) + ("; ..." if len(reasons) > _LISTED else "")
            self._add("refuted", row, f"{len(reasons)} images are not within the budget: {listed}")
        return claimed, {"images": len(images), "unchanged": unchanged}

    def _classify(
        self, row: ClaimRow, model: OpenModel, images: list[int], examples: NDArray[Any], claimed: list[int]
    ) -> list[str]:
        """Return the names of the images that are misclassified."""
        if not claimed:
            return []
        at = [images[position] for position in claimed]
        pixels = torch.from_numpy(np.ascontiguousarray(examples[claimed], dtype=np.float32))
        found = model.check.classify(pixels, model.images.labels[at], [{True}] * len(at))
        names = [model.images.names[image] for image in at]
        right = [name for name, one in zip(names, found, strict=True) if one.judge(True) != "confirmed"]
        if right:
            listed = ", ".join(right[:_LISTED]) + (", ..." if len(right) > _LISTED else "")
            self._add("refuted", row, f"{len(right)} changed images are classified correctly: {listed}")
        return [name for name in names if name not in set(right)]

    def _find_robust(self, row: ClaimRow, pairs: list[PlannedPair]) -> set[str]:
        """Return the names of the images that the run calls robust under some attack at this budget."""
        robust: set[str] = set()
        for planned in pairs:
            pair = planned.pair
            if pair.attack.norm != row.norm or row.eps not in pair.attack.budgets:
                continue
            record = status.read_pair_status(pair, self.folder.outcome(pair.id)).record
            if record is not None:
                letters = next(one.verdicts for one in record.budgets if one.eps == row.eps)
                robust |= {name for name, letter in zip(record.images, letters, strict=True) if letter == ROBUST}
        return robust


def read_claims(path: Path) -> list[ClaimRow]:
    """Read claims.csv.

    Raises:
        ConfigErrors: With all errors of the file.
    """
    try:
        text = bounded.read_regular(path, limits.TABLE_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        remedy = "not found" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        raise ConfigErrors([ConfigError(path=path, remedy=remedy)]) from None
    reader = csv.DictReader(io.StringIO(text))
    if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or [])]:
        remedy = f"has no column {', '.join(missing)}; expected {', '.join(_COLUMNS)}"
        raise ConfigErrors([ConfigError(path=path, remedy=remedy)])
    rows, errors = [], []
    for number, row in enumerate(reader, start=2):
        try:
            rows.append(_parse_row(row))
        except ValueError as error:
            errors.append(ConfigError(path=path, field=f"line {number}", remedy=str(error)))
    if errors:
        raise ConfigErrors(errors)
    return rows


def _parse_row(row: dict[str, str | None]) -> ClaimRow:
    file, model, norm, eps = ((row[name] or "").strip() for name in _COLUMNS)
    if not file or Path(file).name != file:
        raise ValueError(f'has the file "{file}"; expected the name of a file in this folder')
    if norm not in _NORMS:
        raise ValueError(f'has the norm "{norm}"; expected one of {", ".join(_NORMS)}')
    try:
        return ClaimRow(file, model, _NORMS[norm], Budget.parse(eps))
    except ValueError as error:
        raise ValueError(f'has eps "{eps}", which {error}') from None


def read_examples(path: Path) -> tuple[list[str] | None, NDArray[Any]]:
    """Return the names of the images, if the file has them, and the examples, N x C x H x W.

    No code in a file is run: pickled objects other than tensors are refused.

    Raises:
        _UnreadableError: If the file is missing, or is none of the known formats.
    """
    try:
        names, examples = _load_array(path)
    except FileNotFoundError:
        raise _UnreadableError("is not in the folder") from None
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        RuntimeError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        raise _UnreadableError(f"cannot be read: {' '.join(str(error).split())[:200]}") from None
    if examples.ndim != 4 or examples.dtype.kind != "f":
        shape = " x ".join(map(str, examples.shape))
        raise _UnreadableError(f"has {examples.dtype} values of shape {shape}; expected floats, N x C x H x W")
    return names, examples


def _load_array(path: Path) -> tuple[list[str] | None, NDArray[Any]]:
    if path.suffix in {".pt", ".pth"}:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(content, dict):
            content = content[next((name for name in _TENSORS if name in content), _TENSORS[0])]
        if not isinstance(content, torch.Tensor):
            raise ValueError("has no tensor")
        return None, content.numpy()
    content = np.load(path, allow_pickle=False)
    if isinstance(content, np.ndarray):
        return None, content
    with content:
        names = [str(name) for name in content["images"].tolist()] if "images" in content else None
        return names, content["x_adv"]


def _find_images(known: list[str], names: list[str] | None, count: int) -> list[int]:
    """Return the index of the clean image of each example."""
    if names is None:
        if count > len(known):
            raise _UnreadableError(f"has {count} images, but the run has {len(known)}")
        return list(range(count))
    if len(names) != count:
        raise _UnreadableError(f"has {len(names)} names for {count} images")
    place = {name: at for at, name in enumerate(known)}
    if unknown := [name for name in names if name not in place]:
        raise _UnreadableError(f"names the unknown image {unknown[0]}")
    return [place[name] for name in names]
