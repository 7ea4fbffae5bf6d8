"""The published properties of a model, and the error for an unknown model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from alignsec.spec.pair import Conversion, Published


@dataclass(frozen=True)
class ModelInfo:
    """The published properties of one model of a source: an architecture, with or without weights."""

    preprocessing: Mapping[str, object] = field(default_factory=dict)
    """The authors' preprocessing, in the form of a study; empty if the source does not publish it."""
    classes: int | None = None
    """Number of logits; 0 for weights without a classifier, None if only building the model shows it."""
    weights: bool = False
    """Whether the source publishes weights for it, not only an architecture."""
    makes_weights: bool = False
    """Whether its code creates its weights, so that it needs no file."""
    conversion: Conversion = "none"
    """How to read the source's own weights file. A file that a study names is a plain state dict by default."""
    hub: str = ""
    """Repository of its weights on the model hub, such as `timm/resnet50.a1_in1k`."""
    url: str = ""
    """Address of its weights file, if it is not on the hub."""
    published: Published | None = None
    """The clean accuracy that the source publishes."""
    examples: tuple[str, ...] = ()
    """For an architecture: some names that have weights."""


class UnknownModelError(ValueError):
    """A model that its source does not have; the message names similar models."""
