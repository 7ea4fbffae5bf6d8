"""Custom attack: calls a user's attack on one batch and checks what it returns."""

import hashlib
import inspect
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alignsec import python_file
from alignsec.models.classifier import Classifier
from alignsec.models.errors import is_out_of_memory
from alignsec.spec import custom
from alignsec.spec.components import Norm

_USER_ERRORS = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NameError, OSError),
    *(RuntimeError, TypeError, ValueError),
)
"""Errors of a user's code that become a reason with the name of the attack."""


class CustomAttackError(Exception):
    """The user's attack raised an error, changed the model, or returned no usable images."""


@dataclass(frozen=True)
class CustomAttack:
    """A user's attack.

    Attributes:
        name: Name of the callable.
        function: The callable; see `alignsec.spec.custom` for its forms.
        options: Keyword arguments from the study.
    """

    name: str
    function: Callable[..., object]
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Raise CustomAttackError if the callable has none of the two forms, or does not have the options."""
        parameters = self._parameters
        plain = {name: one for name, one in parameters.items() if one.kind in _BY_KEYWORD}
        why = custom.find_call_error(
            self.name,
            plain,
            [name for name, one in plain.items() if one.default is inspect.Parameter.empty],
            self.options,
            any_name=any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()),
        )
        if why:
            raise CustomAttackError(why)

    @classmethod
    def load(cls, file: Path, name: str, options: Mapping[str, Any]) -> "CustomAttack":
        """Run a user's file and return its attack.

        Raises:
            CustomAttackError: If the file cannot be run, or defines no such callable.
        """
        try:
            function = python_file.load_callable(file, name)
        except ModuleNotFoundError as error:
            remedy = "install it in the container image, or where the job runs"
            raise CustomAttackError(f"{name} imports {error.name}, which is not installed; {remedy}") from error
        except _USER_ERRORS as error:
            raise CustomAttackError(f"{name} cannot be loaded: {type(error).__name__}: {error}") from error
        return cls(name, function, options)

    @property
    def minimizes(self) -> bool:
        """True if the callable has no `eps` and searches for the smallest perturbation."""
        return "eps" not in self._parameters

    @property
    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        try:
            return inspect.signature(self.function).parameters
        except (TypeError, ValueError) as error:
            raise CustomAttackError(f"{self.name} has no readable parameters: {error}") from error

    def perturb(
        self,
        classifier: Classifier,
        images: Tensor,
        labels: Tensor,
        norm: Norm,
        eps: float | None,
        seeds: Sequence[int],
    ) -> Tensor:
        """Return the images that the attack makes from one batch.

        torch, NumPy and Python draw from generators seeded with the first of `seeds`; their states are restored.

        Args:
            classifier: The classifier, whose parameters are frozen.
            images: Clean images, N x C x H x W. The attack gets a copy.
            labels: int64, N.
            norm: Norm of the distance.
            eps: The budget; None if the attack searches for the smallest perturbation.
            seeds: One seed per image.

        Raises:
            CustomAttackError: If the attack raises an error, changes the model, or returns anything but finite
                float32 images of the same shape and device in memory of their own.
        """
        given: dict[str, object] = {"eps": eps} if not self.minimizes else {}
        if "seeds" in self._parameters:
            given["seeds"] = list(seeds)
        own = images.clone()
        before = ModelState.read(classifier)
        with _seeded(seeds[0], images.device), torch.enable_grad():
            try:
                found = self.function(
                    classifier=classifier, images=own, labels=labels.clone(), norm=norm, **given, **self.options
                )
            except _USER_ERRORS as error:
                if is_out_of_memory(error):
                    raise
                raise CustomAttackError(f"{self.name} raised {type(error).__name__}: {error}") from error
        if change := before.find_change(classifier):
            raise CustomAttackError(f"{self.name} changed the model: {change}; work on a copy of the model")
        return self._check_images(found, own)

    def _check_images(self, found: object, own: Tensor) -> Tensor:
        """Return the images without their gradient history if they can be judged."""
        if not isinstance(found, Tensor):
            raise CustomAttackError(f"{self.name} returned {type(found).__name__}; expected a tensor of images")
        problem = ""
        if found.shape != own.shape:
            expected, shape = (" x ".join(map(str, one.shape)) for one in (own, found))
            problem = f"images of shape {shape}; expected {expected}"
        elif found.dtype != torch.float32:
            problem = f"images of {str(found.dtype).removeprefix('torch.')}; expected float32"
        elif found.device != own.device:
            problem = f"images on {found.device}; expected {own.device}, the device of its input"
        elif found.untyped_storage().data_ptr() == own.untyped_storage().data_ptr():
            problem = "its input, or a view of it; return a new tensor, such as images.clone()"
        elif bad := int((~found.isfinite().flatten(1).all(1)).sum()):
            problem = f"NaN or infinity in {bad} of {len(found)} images"
        if problem:
            raise CustomAttackError(f"{self.name} returned {problem}")
        return found.detach()


_BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class ModelState:
    """What an attack must not change: modes, gradients flags and values of a model's parameters and buffers."""

    modes: dict[str, bool]
    frozen: dict[str, bool]
    sums: dict[str, tuple[torch.Size, torch.dtype, float]]

    @classmethod
    def read(cls, classifier: Classifier) -> "ModelState":
        """Read the state. It takes about as long as reading all parameters once."""
        tensors = {**dict(classifier.named_parameters()), **dict(classifier.named_buffers())}
        return cls(
            {name: module.training for name, module in classifier.named_modules()},
            {name: one.requires_grad for name, one in tensors.items()},
            {name: (one.shape, one.dtype, _checksum(one)) for name, one in tensors.items()},
        )

    def find_change(self, classifier: Classifier) -> str:
        """Return the first difference to the present state of the classifier as text; empty if there is none."""
        now = ModelState.read(classifier)
        parts = (
            ("training mode", self.modes, now.modes),
            ("requires_grad", self.frozen, now.frozen),
            ("values", self.sums, now.sums),
        )
        for what, before, after in parts:
            if changed := [name for name in before | after if before.get(name) != after.get(name)]:
                return f"{what} of {changed[0] or 'the whole model'}"
        return ""


@torch.no_grad()
def _checksum(tensor: Tensor) -> float:
    """Return a number that nearly every change of a tensor changes: the sum of its bits, read as integers."""
    plain = tensor.detach().contiguous().flatten()
    if plain.element_size() == 4:
        plain = plain.view(torch.int32)
    return int(plain.sum(dtype=torch.int64)) if not plain.is_floating_point() else float(plain.double().sum())


def make_seed(seed: int, image: Tensor, budget: str) -> int:
    """Return the seed of one image at one budget, which depends on neither its batch nor its position.

    Args:
        seed: Seed of the study.
        image: The clean image.
        budget: The exact budget as text.
    """
    content = image.cpu().contiguous().numpy().tobytes()
    key = hashlib.sha256(f"{seed}/{budget}/".encode() + content).digest()
    return int.from_bytes(key[:4], "big") % 2**31


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the generators of torch, NumPy and Python inside a `with` block; restore them afterwards."""
    legacy, plain = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            yield
    finally:
        np.random.set_state(legacy)
        random.setstate(plain)
