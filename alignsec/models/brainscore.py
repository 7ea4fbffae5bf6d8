"""Builder of Brain-Score's models: runs their plugins on an archive of the files that the plugins would download.

A plugin is imported as brainscore_core does, but nothing is installed or downloaded at run time. The network is
taken out of its wrapper, and the preprocessing of the study is compared with that of the wrapper.
"""

import importlib
import socket
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from alignsec import archives
from alignsec.catalogue import brainscore_registry
from alignsec.catalogue.brainscore_registry import RegistryError
from alignsec.images.pack import Candidate
from alignsec.models.errors import ModelError
from alignsec.models.images import ImageTransform
from alignsec.models.random_weights import build_reproducibly
from alignsec.run.job_environment import HOME
from alignsec.spec.pair import PairModel
from alignsec.spec.preprocessing import Preprocessing

PROBE_SIZE = (137, 211)
"""Height and width of the probe images for both preprocessings: not square, and no model's input size."""
MAX_DIFFERENCE = 1e-4
"""Largest difference of two normalised pixels that rounding can cause. One grey level is 0.008 or more."""


class NetworkWithArguments(nn.Module):
    """A network that is called with fixed keyword arguments besides the images."""

    def __init__(self, network: nn.Module, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.network = network
        self._arguments = dict(arguments)

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401 - any type that the network returns
        """Call the network with the images and the keyword arguments."""
        return self.network(images, **self._arguments)


def build(model: PairModel, folder: Path) -> nn.Module:
    """Build the network of a `brainscore:` model.

    Args:
        model: The model of a pair.
        folder: Folder with the archive of the plugin's files. The archive is unpacked into its subfolder HOME,
            which must be the job's home folder. Python imports nothing from there.

    Raises:
        ModelError: If the plugin cannot be used, tries to download, has no PyTorch network, leaves parameters
            random, or preprocesses images differently from the pair.
    """
    if model.weights is None:
        raise ValueError("no archive of the files that its plugin downloads")
    unpack(folder / model.weights.name, folder / HOME)
    return build_reproducibly(partial(_build_network, model), allowed=model.random_weights)


def _build_network(model: PairModel) -> nn.Module:
    """Run the plugin, and return the network of its wrapper."""
    with _offline() as hosts:
        try:
            wrapper = load_wrapper(model.source.removeprefix("brainscore:"))
        except ModuleNotFoundError as error:
            raise ModelError(
                f"its plugin needs the package {error.name}, which the container image does not contain"
            ) from error
        except OSError as error:
            if not hosts:
                raise
            raise ModelError(
                f"its plugin tried to download from {hosts[0]}; the file is missing from its archive"
            ) from error
    network = getattr(wrapper, "_model", None)
    if not isinstance(network, nn.Module):
        raise ModelError(f"its wrapper, {type(wrapper).__name__}, contains no PyTorch network")
    _check_preprocessing(wrapper, model.preprocessing)
    arguments = getattr(wrapper, "_forward_kwargs", None) or {}
    return NetworkWithArguments(network, arguments).float() if arguments else network.float()


def unpack(archive: Path, home: Path) -> None:
    """Unpack the archive of a plugin's files into the folder that the plugin uses as its home.

    Raises:
        ModelError: If the file is not an archive.
        OSError: If a file cannot be read or written.
    """
    home.mkdir(exist_ok=True)
    try:
        with tarfile.open(archive) as file:
            file.extractall(home, filter="data")
    except archives.TAR_ERRORS as error:
        reason = archives.explain(error)
        raise ModelError(f"{archive.name} is not an archive of a plugin's files: {reason}") from error


def load_wrapper(name: str) -> Any:  # noqa: ANN401 - brainscore_vision has no common type
    """Load the wrapper of a registered model, as brainscore_vision.load_model does, but without its `pip install`.

    Args:
        name: Name of the model in Brain-Score's registry.

    Raises:
        ModelError: If not exactly one plugin registers the name.
        Exception: Any error of the plugin.
    """
    package = importlib.import_module("brainscore_vision")
    try:
        plugin = brainscore_registry.find_folder(Path(str(package.__file__)).parent, name)
    except RegistryError as error:
        raise ModelError(f"Brain-Score's registry {error}") from error
    importlib.import_module(f"brainscore_vision.models.{plugin}")
    registered = package.model_registry[name]()
    # A ModelCommitment contains the wrapper; a few plugins register the wrapper itself.
    return getattr(registered, "activations_model", registered)


@contextmanager
def _offline() -> Iterator[list[str]]:
    """Make all look-ups of host names fail inside a `with` block; yields the list of the requested hosts."""
    hosts: list[str] = []
    look_up = socket.getaddrinfo

    def refuse(host: Any, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - the signature of socket.getaddrinfo
        hosts.append(host.decode() if isinstance(host, bytes) else str(host))
        raise socket.gaierror(socket.EAI_FAIL, f"jobs do not download anything; {hosts[-1]} was requested")

    socket.getaddrinfo = refuse
    try:
        yield hosts
    finally:
        socket.getaddrinfo = look_up


def _check_preprocessing(
    wrapper: Any,  # noqa: ANN401 - Brain-Score ships no types
    preprocessing: Preprocessing,
) -> None:
    """Raise ModelError unless the wrapper and the pair preprocess images in the same way.

    One probe image has a single colour, which resizing does not change; so mean and std must agree up to rounding.
    The other is noise: where it is resized without a low-pass filter, libraries may differ by one grey level.
    """
    noise = torch.randint(0, 256, (*PROBE_SIZE, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    colour = torch.tensor([40, 120, 230], dtype=torch.uint8).expand_as(noise)
    grey_level = 1.01 / 255 / min(preprocessing.std)
    remedy = "correct the model's preprocessing in the study"
    for probe, allowed, step in (
        (colour, MAX_DIFFERENCE, "normalises"),
        (noise, MAX_DIFFERENCE if preprocessing.antialias else grey_level, "resizes"),
    ):
        theirs, ours = _preprocess_both(wrapper, preprocessing, probe)
        if theirs.shape != ours.shape:
            raise ModelError(
                f"its wrapper makes images of shape {tuple(theirs.shape)}, the study's preprocessing of shape "
                f"{tuple(ours.shape)}; {remedy}"
            )
        difference = float((theirs - ours).abs().max())
        if not difference <= allowed:
            raise ModelError(
                f"its wrapper {step} images differently from the study's preprocessing: pixels differ by up to "
                f"{difference:.3g}; {remedy}"
            )


def _preprocess_both(
    wrapper: Any,  # noqa: ANN401 - Brain-Score ships no types
    preprocessing: Preprocessing,
    probe: Tensor,
) -> tuple[Tensor, Tensor]:
    """Preprocess and normalise a probe image with the wrapper and with the pair's preprocessing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.png"
        Image.fromarray(probe.numpy()).save(path)
        pixels = ImageTransform(preprocessing)(Candidate(path.name, 0, path)).float() / 255
        theirs = torch.as_tensor(wrapper._extractor.preprocess([str(path)])[0]).float()
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    return theirs, (pixels - mean) / std
