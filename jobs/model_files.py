"""Model files of a pair: their digests, and the classifier that is built from them."""

from collections.abc import Iterable
from pathlib import Path

import torch

from alignsec import digest
from alignsec.models import classifier, memory_format
from alignsec.spec.pair import File, PairModel

_CHANNELS_LAST_SIDE = 128
"""Smallest image side in pixels for which weights are stored with channels last on a CPU. At 224 pixels MobileNets
take a fifth less time; networks for 28 or 32 pixels take as much or more. Not measured on GPUs yet."""


class TransferError(Exception):
    """A file is not the one that the pair names: it was truncated, or changed after the submission."""


def load_model(model: PairModel, folder: Path, device: torch.device) -> classifier.Classifier:
    """Build the classifier of a pair from its files in a folder; see `alignsec.models.classifier.load`."""
    loaded = classifier.load(model, folder, device)
    _, height, width = model.preprocessing.input_size
    if device.type == "cpu" and min(height, width) >= _CHANNELS_LAST_SIDE:
        memory_format.use_channels_last(loaded, model.preprocessing.input_size)
    return loaded


def check_digests(folder: Path, files: Iterable[File | None]) -> None:
    """Raise TransferError unless each file has the digest that the pair names."""
    for file in files:
        if file is not None and (found := digest.sha256_of_file(folder / file.name)) != file.sha256:
            raise TransferError(
                f"{file.name}: SHA-256 is {found[:12]}, expected {file.sha256[:12]}; "
                "the file is truncated or changed"
            )
