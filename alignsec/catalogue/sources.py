"""The registry of model sources: `timm:resnet50.a1_in1k` is the model `resnet50.a1_in1k` of the source `timm`.

Everything that depends on the list of sources is derived from `SOURCES`: the check of a study's `source` keys and
its error text, the builder that a job calls, the conversions of weights files, and the libraries whose versions an
outcome records. Readers and builders are named by import path, so that the access point never imports torch.

To add a source, write its builder in `alignsec/models/` and, if the source has a list of its models, its reader in
`alignsec/catalogue/`. Then add one entry to `SOURCES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from alignsec.catalogue.model_info import ModelInfo, UnknownModelError

CHECKPOINT = "checkpoint"
"""Scheme of the alias `checkpoint:timm/resnet50`: the architecture `timm:resnet50` with the study's weights
file."""


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """One source of models, such as a library."""

    scheme: str
    """The part of a study's `source` before the colon."""
    example: str
    """A complete `source` value, shown in error messages."""
    builder: str = ""
    """Import path `module:function` of the builder. It takes a PairModel and the folder with the pair's files, and
    returns a torch.nn.Module. Empty for the alias `checkpoint`."""
    reader: str = ""
    """Import path `module:function` of the reader. It takes the name after the colon, returns a ModelInfo and
    raises UnknownModelError. It must not import torch. Empty for a source without a list of its models."""
    libraries: tuple[str, ...] = ()
    """Distributions whose versions can change a verdict; every outcome records them."""
    converts: bool = False
    """Whether the builder can read a weights file in the form that the source publishes; such a conversion has the
    name of the scheme."""
    always_converts: bool = False
    """Whether a weights file that the study names is in the published form too."""


SOURCES: tuple[ModelSource, ...] = (
    ModelSource(
        scheme="timm",
        example="timm:resnet50.a1_in1k",
        builder="alignsec.models.timm:build",
        reader="alignsec.catalogue.timm:read_model_info",
        libraries=("torchvision", "timm"),
        converts=True,
    ),
    ModelSource(
        scheme="torchvision",
        example="torchvision:resnet50.IMAGENET1K_V2",
        builder="alignsec.models.torchvision:build",
        reader="alignsec.catalogue.torchvision:read_model_info",
        libraries=("torchvision",),
        converts=True,
    ),
    ModelSource(scheme=CHECKPOINT, example="checkpoint:timm/resnet50"),
    ModelSource(
        scheme="python",
        example="python:my_models.py:build",
        builder="alignsec.models.python:build",
        reader="alignsec.catalogue.python:read_model_info",
    ),
    ModelSource(
        scheme="brainscore",
        example="brainscore:resnet50_tutorial",
        builder="alignsec.models.brainscore:build",
        reader="alignsec.catalogue.brainscore:read_model_info",
        libraries=("brainscore-vision",),
        converts=True,
        always_converts=True,
    ),
)


def find_source(source: str) -> ModelSource:
    """Return the registry's entry for a `source` value such as `timm:resnet50.a1_in1k`.

    Raises:
        UnknownModelError: If no source has that scheme.
    """
    scheme, _, _ = source.partition(":")
    for entry in SOURCES:
        if entry.scheme == scheme:
            return entry
    raise UnknownModelError(unknown_source())


def unknown_source() -> str:
    """Return the error text for a `source` value that does not start with a known scheme."""
    *schemes, last = [f'"{entry.scheme}:"' for entry in SOURCES]
    example = SOURCES[0].example
    return f'has an unknown source; write {", ".join(schemes)} or {last} and a name, such as "{example}"'


def read_model_info(source: str) -> ModelInfo:
    """Return what is known of a model without building it.

    Args:
        source: A pair's source, such as `timm:resnet50.a1_in1k`; not the alias `checkpoint:`.

    Raises:
        UnknownModelError: If the source or the model is unknown.
    """
    entry = find_source(source)
    if not entry.reader:
        return ModelInfo()
    info: ModelInfo = _import(entry.reader)(source.partition(":")[2])
    return info


def load_builder(source: str) -> Callable[..., Any]:
    """Import and return the function that builds a model's network.

    Args:
        source: A pair's source, such as `timm:resnet50.a1_in1k`.

    Raises:
        UnknownModelError: If the source is unknown or only an alias.
    """
    entry = find_source(source)
    if not entry.builder:
        raise UnknownModelError(
            f'is an alias, which no job can build; expected a source such as "{SOURCES[0].example}"'
        )
    return _import(entry.builder)


def resolve_alias(source: str) -> str:
    """Return a source with the alias replaced: `checkpoint:timm/resnet50` becomes `timm:resnet50`.

    Raises:
        UnknownModelError: If the alias does not name a source and an architecture.
    """
    scheme, _, name = source.partition(":")
    if scheme != CHECKPOINT:
        return source
    library, slash, architecture = name.partition("/")
    if not slash or library not in {entry.scheme for entry in SOURCES if entry.builder}:
        raise UnknownModelError('names no architecture; write "checkpoint:timm/resnet50" and weights = FILE')
    return f"{library}:{architecture}"


def conversions() -> tuple[str, ...]:
    """Return the names of all conversions of weights files. "none" means a state dict that fits key by key."""
    return ("none", *(entry.scheme for entry in SOURCES if entry.converts))


def libraries() -> tuple[str, ...]:
    """Return the distributions of all sources whose versions an outcome records, each once."""
    return tuple(dict.fromkeys(library for entry in SOURCES for library in entry.libraries))


def _import(path: str) -> Callable[..., Any]:
    module, _, function = path.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
