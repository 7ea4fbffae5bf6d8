"""Classifier: a loaded model that maps images in [0,1] to logits, with normalisation inside."""

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

_BUILD_ERRORS = (
    # Errors of constructors for wrong options, and of readers for a file that contains no weights.
    *(AssertionError, AttributeError, EOFError, KeyError, RuntimeError, TypeError, ValueError),
    *(UnpicklingError, SafetensorError),
)


class Classifier(nn.Module):
    """A frozen network in evaluation mode with its normalisation, which counts its passes.

    Images are float32, N x C x H x W, in [0,1]; logits are N x classes. Because normalisation is inside, attacks
    do not depend on mean and standard deviation, and eps is always in pixels.
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
        """Called after every forward pass, to report progress and to watch the time."""

    def forward(self, images: Tensor, network: Callable[[Tensor], object] | None = None) -> Tensor:
        """Return the logits of a batch of images.

        Args:
            images: float32, N x C x H x W, in [0,1].
            network: Another form of the network, such as a compiled one; None to use the network itself.

        Raises:
            ModelError: If the network's output contains no logits.
        """
        normalised = (images - self.mean) / self.std
        if normalised.requires_grad:
            normalised.register_hook(self._count_backward)
        logits = outputs.extract_logits((network or self.network)(normalised))
        self._forward += len(images)
        self.on_pass()
        return logits

    def _count_backward(self, gradient: Tensor) -> None:
        self._backward += len(gradient)

    @property
    def passes(self) -> Passes:
        """Number of passes so far, counted in images."""
        return Passes(forward=self._forward, backward=self._backward)


def load(model: PairModel, folder: Path, device: torch.device) -> Classifier:
    """Build a pair's model from its files.

    The weights file is read by the library's own conversion if the pair names one. Otherwise it must be a state
    dict whose keys and shapes fit exactly. Torch files are read with `weights_only`, so a weights file runs no
    code.

    Args:
        model: The model of a pair.
        folder: Folder with the files that the pair names.
        device: Device for the network.

    Raises:
        ModelError: If the model cannot be built. If the weights do not fit, the message lists the keys.
        OSError: If a file cannot be read.
    """
    try:
        network: nn.Module = sources.load_builder(model.source)(model, folder)
    except (*_BUILD_ERRORS, OSError) as error:
        # A truncated torch file raises OSError with EINVAL; any other OSError is the disk's.
        if (isinstance(error, OSError) and error.errno != errno.EINVAL) or is_out_of_memory(error):
            raise
        name = model.source.partition(":")[2]
        raise ModelError(f"{model.name}: {name} cannot be built: {type(error).__name__}: {error}") from error
    return Classifier(network, model.preprocessing).to(device)
