"""The sources by name: `timm:resnet50.a1_in1k` is the model resnet50.a1_in1k of the source timm."""

from collections.abc import Callable, Mapping

from alignsec.catalogue import brainscore, python, timm, torchvision
from alignsec.catalogue.model_info import ModelInfo, UnknownModel

SOURCES: Mapping[str, Callable[[str], ModelInfo]] = {
    "timm": timm.known,
    "torchvision": torchvision.known,
    "python": python.known,
    "brainscore": brainscore.known,
}
CHECKPOINT = "checkpoint:"
"""`checkpoint:timm/resnet50` is `timm:resnet50` whose weights are the study's file, said outright."""


def known(source: str) -> ModelInfo:
    """What is known of a model, by its source as a pair has it. Raises UnknownModel."""
    kind, _, name = source.partition(":")
    if kind not in SOURCES:
        raise UnknownModel(f"is of no source; there are {', '.join(SOURCES)}")
    return SOURCES[kind](name)


def resolved(source: str) -> str:
    """A source as the rest of the house knows it: `checkpoint:timm/resnet50` becomes `timm:resnet50`."""
    if not source.startswith(CHECKPOINT):
        return source
    kind, slash, name = source.removeprefix(CHECKPOINT).partition("/")
    if not slash or kind not in SOURCES:
        raise UnknownModel('names no architecture; write "checkpoint:timm/resnet50" and weights = FILE')
    return f"{kind}:{name}"
