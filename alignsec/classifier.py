"""Classifiers: loaded models that map images in [0,1] to logits, with normalisation inside."""

import errno
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import timm
import torch
from safetensors import SafetensorError
from timm.models import load_state_dict
from torch import Tensor, nn

from alignsec.out_of_memory import is_out_of_memory
from alignsec.outcome import Passes
from alignsec.pair import PairModel
from alignsec.preprocessing import Preprocessing


class BadModel(Exception):
    """The model cannot be built, its weights do not fit it, or it gives no usable logits."""


_BUILDING = (
    # What constructors make of wrong options, and readers of a file that is no checkpoint.
    *(AssertionError, AttributeError, EOFError, KeyError, RuntimeError, TypeError, ValueError),
    *(UnpicklingError, SafetensorError),
)


class Classifier(nn.Module):
    """A frozen network in evaluation mode, behind its normalisation, that counts the passes it is put through.

    Images: float32, N x C x H x W, in [0,1]. Logits: N x classes. Because normalisation is inside, attacks never
    see mean or std and an eps always means pixels.
    """

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        for name in ("mean", "std"):
            values = torch.tensor(getattr(preprocessing, name), dtype=torch.float32)
            self.register_buffer(name, values.view(1, -1, 1, 1))
        self.mean: Tensor
        self.std: Tensor
        self._forward = self._backward = 0
        self.on_pass: Callable[[], None] = lambda: None
        """Called after every forward pass: where progress is told and time is kept."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch of images."""
        normalised = (images - self.mean) / self.std
        if normalised.requires_grad:
            normalised.register_hook(self._count_backward)
        logits: Tensor = self.network(normalised)
        self._forward += len(images)
        self.on_pass()
        return logits

    def _count_backward(self, gradient: Tensor) -> None:
        self._backward += len(gradient)

    @property
    def passes(self) -> Passes:
        """Passes so far, in images."""
        return Passes(forward=self._forward, backward=self._backward)


def load(model: PairModel, folder: Path, device: torch.device) -> Classifier:
    """Build a pair's model from the files it names, which lie in a folder.

    A weights file is read through the library's conversion that the pair names, or as a state dict that must fit
    key by key. Torch files are read with weights_only: a checkpoint runs no code here. Raises BadModel with the
    keys that are missing or left over, OSError if a file cannot be read.
    """
    name = model.source.removeprefix("timm:")
    try:
        if model.weights is None:
            raise ValueError("it has no weights file, without which its weights are random")
        weights = folder / model.weights.name
        if model.conversion == "timm":
            overlay = {"file": str(weights)}
            network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **model.options)
        else:
            network = timm.create_model(name, pretrained=False, **model.options)
            _fill(network, load_state_dict(str(weights), device="cpu"), weights.name)
    except (*_BUILDING, OSError) as error:
        # A torch file that was cut short before it was handed out gives EINVAL; other OSErrors are the disk's.
        if (isinstance(error, OSError) and error.errno != errno.EINVAL) or is_out_of_memory(error):
            raise
        raise BadModel(f"{model.name}: {name} cannot be built: {type(error).__name__}: {error}") from error
    return Classifier(network, model.preprocessing).to(device)


def _fill(network: nn.Module, state: dict[str, Tensor], file: str) -> None:
    """Load a state dict that fits exactly, or say how it does not."""
    own = network.state_dict()
    # BatchNorm's step counter plays no part in evaluation and is absent from older checkpoints.
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    extra = [key for key in state if key not in own]
    shapes = [
        f"{key} is {tuple(state[key].shape)}, not {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    complaints = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for what, keys in (("keys missing", missing), ("keys too many", extra), ("keys of another shape", shapes))
        if keys
    ]
    if complaints:
        raise ValueError(f"{file} does not fit: {'; '.join(complaints)}")
    network.load_state_dict(state, strict=False)
