"""Inputs: checks of the model, the images and the labels that a caller of the Python API passes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.models.classifier import Classifier
from alignsec.spec.preprocessing import Preprocessing

_MODE_DEPENDENT = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.dropout._DropoutNd,
    nn.MultiheadAttention,
    nn.RNNBase,
)
"""Layers that compute something else in training mode."""
_CHANNELS = (1, 2, 3, 4)
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class CallableNetwork(nn.Module):
    """A plain function from images to logits, as a module."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> object:
        """Return the output of the function."""
        return self.function(images)


@dataclass(frozen=True)
class Inputs:
    """Checked inputs: images float32, N x C x H x W, in [0,1], and labels int64, N, both on the model's device."""

    images: Tensor
    labels: Tensor


def as_module(model: object) -> nn.Module:
    """Return the model as a module.

    Raises:
        ConfigErrors: If the model cannot be called.
    """
    if isinstance(model, nn.Module):
        return model
    if callable(model):
        return CallableNetwork(model)
    raise ConfigErrors.about("model", "must be a torch module or a function", given=type(model).__name__)


def find_device(network: nn.Module, device: torch.device | str | None) -> torch.device:
    """Return the given device, or that of the model's first parameter or buffer, or the CPU."""
    if device is not None:
        return torch.device(device)
    first = next((tensor for tensors in (network.parameters(), network.buffers()) for tensor in tensors), None)
    return torch.device("cpu") if first is None else first.device


def check_inputs(network: nn.Module, images: object, labels: object, batch: int, device: torch.device) -> Inputs:
    """Validate the inputs of an evaluation.

    Args:
        network: The model.
        images: Images of the caller.
        labels: Labels of the caller.
        batch: Images in a batch.
        device: Device of the evaluation.

    Raises:
        ConfigErrors: All errors of the inputs together.
    """
    errors = [*_find_model_errors(network, device), *_find_image_errors(images), *_find_label_errors(labels)]
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        errors.append(_error("batch size", repr(batch), "must be an integer of at least 1"))
    if not isinstance(images, Tensor) or not isinstance(labels, Tensor):
        raise ConfigErrors(errors)
    if images.ndim and labels.ndim and len(images) != len(labels):
        count = f"{len(images)} images and {len(labels)} labels"
        errors.append(_error("labels", count, "found; expected one label per image"))
    if errors:
        raise ConfigErrors(errors)
    own = images.detach().to(device).contiguous()
    return Inputs(own, labels.detach().to(device).long())


def build_classifier(network: nn.Module, images: Tensor) -> Classifier:
    """Return the classifier of a model that normalises its images itself.

    The classifier freezes the model: build it inside `frozen_parameters(network)`.
    """
    channels, height, width = images.shape[1:]
    identity = Preprocessing(
        input_size=(channels, height, width),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        interpolation="bilinear",
        crop_pct=1.0,
    )
    return Classifier(network, identity).to(images.device)


def _find_model_errors(network: nn.Module, device: torch.device) -> list[ConfigError]:
    errors = []
    training = [name for name, part in network.named_modules() if _depends_on_mode(part) and part.training]
    if training:
        given = f"layer {training[0] or 'model'} is in training mode"
        errors.append(_error("model", given, "and would change its answers during the attack; call model.eval()"))
    tensors = [*network.parameters(), *network.buffers()]
    if low := [one.dtype for one in tensors if one.is_floating_point() and one.dtype != torch.float32]:
        remedy = "weights found, but verdicts need float32 logits; call model.float()"
        errors.append(_error("model", str(low[0]), remedy))
    if elsewhere := [one.device for one in tensors if not _is_same_device(one.device, device)]:
        remedy = f"is the device of its weights, and {device} that of the attack; move the model or pass device="
        errors.append(_error("model", str(elsewhere[0]), remedy))
    return errors


def _depends_on_mode(module: nn.Module) -> bool:
    return isinstance(module, _MODE_DEPENDENT)


def _is_same_device(one: torch.device, other: torch.device) -> bool:
    return one.type == other.type and (one.index or 0) == (other.index or 0)


def _find_image_errors(images: object) -> list[ConfigError]:
    if not isinstance(images, Tensor):
        return [_error("images", type(images).__name__, "found; expected a torch tensor")]
    if images.dtype != torch.float32:
        scale = " / 255" if images.dtype == torch.uint8 else ""
        remedy = f"found; expected float32 in [0,1]: pass images.float(){scale}"
        return [_error("images", str(images.dtype).removeprefix("torch."), remedy)]
    shape = " x ".join(map(str, images.shape))
    if images.ndim != 4 or not images.numel():
        return [_error("images", shape, "is their shape; expected N x C x H x W with at least one image")]
    if images.shape[1] not in _CHANNELS:
        remedy = "is their shape; expected N x C x H x W"
        if images.shape[3] in _CHANNELS:
            remedy += ": pass images.permute(0, 3, 1, 2)"
        return [_error("images", shape, remedy)]
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        remedy = "is their range; expected [0,1], with the normalisation inside the model"
        return [_error("images", f"{low:g} to {high:g}", remedy)]
    return []


def _find_label_errors(labels: object) -> list[ConfigError]:
    if not isinstance(labels, Tensor):
        return [_error("labels", type(labels).__name__, "found; expected a torch tensor of class indices")]
    if labels.dtype not in _INTEGERS:
        return [_error("labels", str(labels.dtype), "found; expected integers: pass labels.long()")]
    if labels.ndim != 1:
        shape = " x ".join(map(str, labels.shape)) or "a scalar"
        return [_error("labels", shape, "is their shape; expected N class indices")]
    if labels.numel() and int(labels.min()) < 0:
        return [_error("labels", str(int(labels.min())), "found; expected class indices from 0")]
    return []


def _error(field: str, given: str, remedy: str) -> ConfigError:
    return ConfigError(path="alignsec", field=field, given=given, remedy=remedy)
