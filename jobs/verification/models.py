"""Models and clean images of a run, each verified by its digest before it is used."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from alignsec.images.pack import PackError
from alignsec.models.errors import ModelError
from alignsec.models.images import ImageLoader, load_images
from alignsec.run.folder import RunFolder
from alignsec.run.plan import PlannedPair
from jobs.model_files import TransferError, check_digests, load_model
from jobs.verification.classification import ClassCheck


class UnavailableError(Exception):
    """A model or its images cannot be loaded, so that nothing can be said about their claims."""


class ChangedFileError(Exception):
    """A file is not the one that the run names."""


@dataclass(frozen=True)
class OpenModel:
    """A model and the clean images as it receives them."""

    check: ClassCheck
    images: ImageLoader


@contextmanager
def open_model(folder: RunFolder, planned: PlannedPair, device: torch.device) -> Iterator[OpenModel]:
    """Load a pair's model and clean images while the context is open.

    Args:
        folder: The run folder.
        planned: A pair of the run.
        device: Device of the model.

    Raises:
        UnavailableError: If a file is missing or the model cannot be built.
        ChangedFileError: If a file has another digest than the pair says.
    """
    pair = planned.pair
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for path in planned.inputs:
            (scratch / Path(path).name).symlink_to(folder.input(path).absolute())
        try:
            check_digests(scratch, (pair.model.weights, pair.model.code))
            classifier = load_model(pair.model, scratch, device)
            pack = scratch / pair.images.name
            images = load_images(pack, pair.images.sha256, pair.model.preprocessing)
        except FileNotFoundError as error:
            raise UnavailableError(f"{Path(error.filename or '').name} is not in the run folder") from None
        except (ModelError, ImportError, OSError) as error:
            raise UnavailableError(f"the model cannot be loaded: {' '.join(str(error).split())}") from None
        except (TransferError, PackError) as error:
            raise ChangedFileError(str(error)) from None
        with images:
            yield OpenModel(ClassCheck(classifier), images)
