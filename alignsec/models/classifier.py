"""Classifiers: loaded models that map images in [0,1] to logits, with normalisation inside."""

import errno
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from alignsec.catalogue import sources
from alignsec.models import outputs
from alignsec.models.errors import ModelError, is_out_of_memory
from alignsec.spec.pair import PairModel
from alignsec.spec.preprocessing import Preprocessing
from alignsec.spec.verdicts import Passes

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

    def forward(self, images: Tensor, network: Callable[[Tensor], object] | None = None) -> Tensor:
        """Logits of a batch of images; by another form of the network, such as a compiled one, if one is given."""
        normalised = (images - self.mean) / self.std
        if normalised.requires_grad:
            normalised.register_hook(self._count_backward)
        logits = outputs.logits((network or self.network)(normalised))
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
    key by key. Torch files are read with weights_only: a checkpoint runs no code here. Raises ModelError with the
    keys that are missing or left over, OSError if a file cannot be read.
    """
    try:
        network: nn.Module = sources.load_builder(model.source)(model, folder)
    except (*_BUILDING, OSError) as error:
        # A torch file that was cut short before it was handed out gives EINVAL; other OSErrors are the disk's.
        if (isinstance(error, OSError) and error.errno != errno.EINVAL) or is_out_of_memory(error):
            raise
        name = model.source.partition(":")[2]
        raise ModelError(f"{model.name}: {name} cannot be built: {type(error).__name__}: {error}") from error
    return Classifier(network, model.preprocessing).to(device)
