"""Brain-Score's networks: built by its own plugins, from an archive of what they fetch for themselves.

The plugin is imported as brainscore_core does, but nothing is installed at run time and nothing is downloaded; its
network is taken out of the wrapper, and the study's preprocessing is held against the wrapper's own.
"""

import importlib
import socket
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from alignsec.catalogue import brainscore_registry
from alignsec.catalogue.brainscore_registry import RegistryError
from alignsec.images.pack import Candidate
from alignsec.models.errors import ModelError
from alignsec.models.images import ImageTransform
from alignsec.spec.pair import PairModel
from alignsec.spec.preprocessing import Preprocessing

PROBE = (137, 211)
"""Height and width of the picture both preprocessings are shown: neither square nor any model's input."""
CLOSE = 1e-4
"""How far two normalised pixels may differ by rounding; one grey level is 0.008 or more."""


class WithArguments(nn.Module):
    """A network that its wrapper calls with more than images."""

    def __init__(self, network: nn.Module, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.network = network
        self._arguments = dict(arguments)

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401 - whatever the network returns
        """What the wrapper would have it answer."""
        return self.network(images, **self._arguments)


def build(model: PairModel, folder: Path) -> nn.Module:
    """The network of a `brainscore:` model, the archive of its files lying in the folder, which is the job's home.

    Raises ModelError if its plugin cannot be used here, would download, holds no PyTorch network, or shows it
    images in another way than the pair says.
    """
    if model.weights is None:
        raise ValueError("it has no archive of what its plugin fetches")
    unpack(folder / model.weights.name, folder)
    with _offline() as asked:
        try:
            wrapper = load(model.source.removeprefix("brainscore:"))
        except ModuleNotFoundError as error:
            raise ModelError(
                f"its plugin needs {error.name}, which is not installed; the image lacks it"
            ) from error
        except OSError as error:
            if not asked:
                raise
            raise ModelError(f"its plugin wants to download from {asked[0]}: its archive lacks that") from error
    network = getattr(wrapper, "_model", None)
    if not isinstance(network, nn.Module):
        raise ModelError(f"its wrapper, {type(wrapper).__name__}, holds no PyTorch network")
    _compare(wrapper, model.preprocessing)
    arguments = getattr(wrapper, "_forward_kwargs", None) or {}
    return WithArguments(network, arguments).float() if arguments else network.float()


def unpack(archive: Path, home: Path) -> None:
    """Unpack what a plugin fetched below the folder it takes for its home. Raises ModelError, OSError."""
    try:
        with tarfile.open(archive) as file:
            file.extractall(home, filter="data")
    except tarfile.TarError as error:
        raise ModelError(f"{archive.name} is not an archive of what its plugin fetches: {error}") from error


def load(name: str) -> Any:  # noqa: ANN401 - brainscore_vision has no common type
    """Return the wrapper of a registered model, as brainscore_vision.load_model does, without `pip install`."""
    package = importlib.import_module("brainscore_vision")
    try:
        plugin = brainscore_registry.find_folder(Path(str(package.__file__)).parent, name)
    except RegistryError as error:
        raise ModelError(f"Brain-Score's registry {error}") from error
    importlib.import_module(f"brainscore_vision.models.{plugin}")
    committed = package.model_registry[name]()
    # A ModelCommitment holds the wrapper; a few plugins register the wrapper itself.
    return getattr(committed, "activations_model", committed)


@contextmanager
def _offline() -> Iterator[list[str]]:
    """No name is looked up meanwhile; yields those that were asked for."""
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def refuse(host: Any, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - as socket has it
        asked.append(host.decode() if isinstance(host, bytes) else str(host))
        raise socket.gaierror(socket.EAI_FAIL, f"jobs download nothing, and {asked[-1]} was asked for")

    socket.getaddrinfo = refuse
    try:
        yield asked
    finally:
        socket.getaddrinfo = look_up


def _compare(wrapper: Any, shown: Preprocessing) -> None:  # noqa: ANN401 - brainscore_vision's own
    """Raise ModelError unless the wrapper makes of pictures what the pair's preprocessing makes of them.

    One picture has one colour, which resizing leaves alone: mean and std must agree to the last digits. The other
    is noise: where it is resized without a low-pass filter, libraries round to neighbouring grey levels.
    """
    noise = torch.randint(0, 256, (*PROBE, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    colour = torch.tensor([40, 120, 230], dtype=torch.uint8).expand_as(noise)
    level = 1.01 / 255 / min(shown.std)
    for picture, close, what in (
        (colour, CLOSE, "normalises"),
        (noise, CLOSE if shown.antialias else level, "resizes"),
    ):
        theirs, ours = _both(wrapper, shown, picture)
        if theirs.shape != ours.shape:
            shapes = f"{tuple(theirs.shape)}, not {tuple(ours.shape)}"
            raise ModelError(
                f"its wrapper gives the network images of {shapes} as the study says; state its preprocessing"
            )
        far = float((theirs - ours).abs().max())
        if not far <= close:
            raise ModelError(
                f"its wrapper {what} in another way than the study says: pixels differ by up to {far:.3g}; "
                "state its preprocessing"
            )


def _both(wrapper: Any, shown: Preprocessing, picture: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - Brain-Score ships no types
    """What the wrapper and what the pair make of a picture, normalised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.png"
        Image.fromarray(picture.numpy()).save(path)
        pixels = ImageTransform(shown)(Candidate(path.name, 0, path)).float() / 255
        theirs = torch.as_tensor(wrapper._extractor.preprocess([str(path)])[0]).float()
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (shown.mean, shown.std))
    return theirs, (pixels - mean) / std
