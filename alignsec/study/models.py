"""The models of a study: the fields of a `[[models]]` table, completed with what the model's source publishes."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from alignsec import python_file
from alignsec.catalogue import sources
from alignsec.catalogue.model_info import ModelInfo, UnknownModelError
from alignsec.names import find_forbidden
from alignsec.schema import Sha256
from alignsec.spec.options import Options
from alignsec.spec.pair import Conversion, File, PairModel, Published
from alignsec.spec.preprocessing import Preprocessing
from alignsec.study.fields import ExistingFile, Name, StudyTable

IMAGENET_CLASSES = 1000


def _check_source(source: str) -> str:
    """Require a known scheme and a name without control characters."""
    scheme, _, name = source.partition(":")
    known = any(entry.scheme == scheme for entry in sources.SOURCES)
    if not known or not name or find_forbidden(name):
        raise PydanticCustomError("source", "{why}", {"why": sources.unknown_source()})
    return source


def _check_conversion(conversion: str) -> str:
    """Require a conversion that a source's builder implements."""
    if conversion not in sources.conversions():
        why = f"is unknown; choose one of {', '.join(sources.conversions())}"
        raise PydanticCustomError("conversion", "{why}", {"why": why})
    return conversion


def _check_classes(options: dict[str, Any]) -> dict[str, Any]:
    classes = options.get("num_classes", 2)
    if isinstance(classes, bool) or not isinstance(classes, int):
        raise PydanticCustomError("options", "must have a whole number as num_classes")
    return options


class StudyModel(StudyTable):
    """A `[[models]]` table of a study file."""

    name: Name
    """Name of the model in tables and figures, and its row in the scores table."""
    source: Annotated[str, AfterValidator(_check_source)]
    """A source and a model's name there, such as `timm:resnet50.a1_in1k` or
    `torchvision:resnet50.IMAGENET1K_V2`; an architecture if `weights` are given; or `python:FILE:CALLABLE`."""
    options: Annotated[Options, AfterValidator(_check_classes), Field(default_factory=dict)]
    """Arguments of the source's constructor, or of the callable."""
    weights: ExistingFile | None = None
    """A local checkpoint: safetensors, or a torch file of tensors. Default: the weights that the source
    publishes."""
    weights_sha256: Sha256 | None = None
    """Expected SHA-256 of the weights file: of `weights`, or of the published file. Another file is an error."""
    conversion: Annotated[Conversion, AfterValidator(_check_conversion)] | None = None
    """How to read `weights`: "none", a state dict that fits key by key (default); or the name of the source in
    whose published form the file is."""
    code: ExistingFile | None = None
    """The file of a `python:` source; derived from `source`, never given in a study."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """Number of logits, if neither the source nor `options.num_classes` states it."""
    random_weights: bool = False
    """Whether parameters of a `python:` or `brainscore:` model may stay random. By default it is refused."""
    preprocessing: Preprocessing
    """Taken from the source if it publishes one; fields that the study states take precedence."""
    published: Published | None = None
    """Published clean accuracy that the model must reproduce before any attack. Default: the accuracy in the
    study's results table, or the source's own."""

    @model_validator(mode="before")
    @classmethod
    def _complete_from_source(cls, data: object) -> object:
        """Check the source against its list of models and take over the published preprocessing."""
        source = data.get("source") if isinstance(data, dict) else None
        if not (isinstance(data, dict) and isinstance(source, str)):
            return data
        if "code" in data:
            raise PydanticCustomError("source", 'code must not be given; write source = "python:FILE:CALLABLE"')
        if source.partition(":")[0] not in {entry.scheme for entry in sources.SOURCES}:
            return data  # _check_source reports it, with the field
        try:
            resolved = sources.resolve_alias(source)
            info = sources.read_model_info(resolved)
        except UnknownModelError as error:
            raise _error(source, str(error)) from None
        stated = data.get("preprocessing", {})
        for why in _missing_fields(source, info, data):
            raise _error(source, why)
        completed = {**data, "source": resolved}
        if info.preprocessing and isinstance(stated, dict):
            completed["preprocessing"] = {**info.preprocessing, **stated}
        if resolved.startswith(python_file.SCHEME):
            completed["code"] = python_file.split_name(resolved)[0]
        return completed

    @model_validator(mode="after")
    def _code_defines_callable(self) -> Self:
        if self.code and (why := python_file.find_definition_error(self.code, self.source)):
            raise _error(self.source, why)
        return self

    @property
    def info(self) -> ModelInfo:
        """What the source publishes about the model."""
        return sources.read_model_info(self.source)

    @property
    def needs_published_weights(self) -> bool:
        """Whether the source's own weights are needed: the study names no file, and the code creates none."""
        return self.weights is None and not self.info.makes_weights

    @property
    def class_count(self) -> int | None:
        """Number of classes; labels range from 0 to class_count - 1. None if only building the model shows it."""
        stated: int | None = self.options.get("num_classes", self.classes)
        return self.info.classes if stated is None else stated

    @property
    def _published_conversion(self) -> Conversion:
        """Conversion of the weights file if the study does not state one."""
        in_published_form = self.needs_published_weights or sources.find_source(self.source).always_converts
        return self.info.conversion if in_published_form else "none"

    def find_published_accuracy(self, results_table: Mapping[str, Published]) -> Published | None:
        """Return the clean accuracy that the model must reproduce, or None if nobody published one.

        The study's own value takes precedence over the results table, and the table over the source's value. The
        last two describe the published weights, so they do not apply to a weights file of the study.

        Args:
            results_table: Published accuracies by the model's name in its source.
        """
        if self.published or self.weights is not None:
            return self.published
        return results_table.get(self.source.partition(":")[2], self.info.published)

    def to_pair_model(
        self, weights: File | None, code: File | None, published: Published | None = None
    ) -> PairModel:
        """Return the model as the jobs of its pairs receive it.

        Args:
            weights: The weights file that is transferred to the job.
            code: The Python file of a `python:` source.
            published: The clean accuracy that the model must reproduce.
        """
        return PairModel(
            name=self.name,
            # The digest of the file identifies it; its name must not change the pair's id.
            source=f"{python_file.SCHEME}{self.source.rpartition(':')[2]}" if code else self.source,
            options=self.options,
            weights=weights,
            conversion=self.conversion or self._published_conversion,
            code=code,
            classes=self.class_count,
            random_weights=self.random_weights,
            published=published,
            preprocessing=self.preprocessing,
        )


def _missing_fields(source: str, info: ModelInfo, data: dict[str, Any]) -> Iterator[str]:
    """Yield what the table must state because the source does not publish it."""
    if source.startswith(f"{sources.CHECKPOINT}:") and "weights" not in data:
        yield "is a checkpoint without a file; give weights = FILE"
    if not ("weights" in data or info.weights or info.makes_weights):
        examples = ", ".join(info.examples) or "there is none"
        yield f"is an architecture without weights; give weights = FILE, or a name with weights: {examples}"
    yield from _class_errors(info, data)
    if "preprocessing" not in data and not info.preprocessing:
        yield "has no published preprocessing; state it: preprocessing = { input_size, mean, std, ... }"


def _class_errors(info: ModelInfo, data: dict[str, Any]) -> Iterator[str]:
    """Yield the contradictions between the published number of classes and the stated one."""
    own_file = "weights" in data
    outputs = data["options"].get("num_classes") if isinstance(data.get("options"), dict) else None
    classes = outputs or data.get("classes")
    if info.classes == 0 and not (own_file and classes):
        yield "has no classifier; give options = { num_classes = N } and weights = FILE, or another name"
    if not info.weights:
        return
    if not own_file and isinstance(outputs, int) and outputs != info.classes:
        yield f"has weights for {info.classes} classes; leave num_classes out, or give weights = FILE"
    if info.classes not in {None, IMAGENET_CLASSES} and classes is None:
        yield (
            f"has {info.classes} classes in a different order than ImageNet's {IMAGENET_CLASSES}; if the labels "
            f"of the images use that order, state classes = {info.classes}"
        )


def _error(source: str, why: str) -> PydanticCustomError:
    return PydanticCustomError("source", "source {s} {why}", {"s": source, "why": why})
