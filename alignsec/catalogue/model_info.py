"""What is known of a model without building it, and the error for one that a source does not have."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from alignsec.spec.pair import Conversion, Published


@dataclass(frozen=True)
class ModelInfo:
    """One model of a source: an architecture, or an architecture with weights of its own."""

    preprocessing: Mapping[str, object] = field(default_factory=dict)
    """As its authors set it, in the form a study takes; empty where the source does not know."""
    classes: int | None = None
    """How many logits it gives; 0 for weights without a classifier, None where only building it shows."""
    weights: bool = False
    """Whether the source has weights for it, not only an architecture."""
    makes_weights: bool = False
    """Whether its own code makes its weights, so that it needs no file."""
    conversion: Conversion = "none"
    """What is done to the source's own weights file; a study's file is a plain state dict unless it says so."""
    hub: str = ""
    """Repository of its weights on the model hub, such as `timm/resnet50.a1_in1k`."""
    url: str = ""
    """Address of its weights file, where they lie on no hub."""
    published: Published | None = None
    """The clean accuracy that the source itself states."""
    examples: tuple[str, ...] = ()
    """Of an architecture: some names that have weights."""


class UnknownModel(ValueError):
    """A source does not have the model; the message says what it has instead."""
