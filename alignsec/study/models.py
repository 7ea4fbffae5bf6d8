"""A study's models: what a `[[models]]` entry may say, and what its source adds to it."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from alignsec import digest
from alignsec.catalogue import python, sources
from alignsec.catalogue.model_info import ModelInfo, UnknownModel
from alignsec.spec.pair import Conversion, File, PairModel, Published
from alignsec.spec.preprocessing import Preprocessing
from alignsec.study.fields import ExistingFile, Name, Table

PATTERN = r"^(timm|torchvision|checkpoint|python|brainscore):[^\x00-\x1f\x7f]+$"
IMAGENET = 1000


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options travel in JSON and are part of a pair's digest."""
    try:
        digest.canonical(options)
    except (TypeError, ValueError):
        why = "hold a date, a time, nan or inf; give numbers, text, true, false, lists and tables"
        raise PydanticCustomError("options", why) from None
    classes = options.get("num_classes", 2)
    if isinstance(classes, bool) or not isinstance(classes, int):
        raise PydanticCustomError("options", "have a num_classes that is not a whole number")
    return options


class StudyModel(Table):
    """A `[[models]]` entry."""

    name: Name
    """What tables call it, and its row in the scores table."""
    source: Annotated[str, Field(pattern=PATTERN)]
    """A library and a name of its, such as `timm:resnet50.a1_in1k` or `torchvision:resnet50.IMAGENET1K_V2`; an
    architecture where `weights` are given; or `python:FILE:CALLABLE`."""
    options: Annotated[dict[str, Any], AfterValidator(_plain), Field(default_factory=dict)]
    """Arguments of the library's constructor, or of the callable."""
    weights: ExistingFile | None = None
    """A local checkpoint: safetensors, or a torch file of tensors. Without it, the source's own, once fetched."""
    conversion: Conversion | None = None
    """How `weights` are read: "none", a state dict that fits key by key, where left out; or as a library publishes
    them."""
    code: ExistingFile | None = None
    """The file of a `python:` source; taken from the source, never given."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """How many logits it gives, where neither its source nor options.num_classes tells."""
    preprocessing: Preprocessing
    """Taken from the source where it has one; the study's word goes first."""
    published: Published | None = None
    """Clean accuracy to be held to before any attack; where left out, that of the study's results table, or the
    source's own."""

    @model_validator(mode="before")
    @classmethod
    def _with_what_its_source_knows(cls, data: object) -> object:
        """Check the source against the library's own list, and take from it how the model wants its images."""
        source = data.get("source") if isinstance(data, dict) else None
        if not (isinstance(data, dict) and isinstance(source, str)):
            return data
        if "code" in data:
            raise PydanticCustomError("source", 'code is not given apart; write source = "python:FILE:CALLABLE"')
        if source.partition(":")[0] not in (*sources.SOURCES, "checkpoint"):
            return data  # the pattern says what a source is
        try:
            resolved = sources.resolved(source)
            known = sources.known(resolved)
        except UnknownModel as error:
            raise _error(source, str(error)) from None
        stated = data.get("preprocessing", {})
        if why := _lacks(source, known, data):
            raise _error(source, why)
        completed = {**data, "source": resolved}
        if known.preprocessing and isinstance(stated, dict):
            completed["preprocessing"] = {**known.preprocessing, **stated}
        if resolved.startswith("python:"):
            completed["code"] = python.file_of(resolved.removeprefix("python:"))
        return completed

    @model_validator(mode="after")
    def _code_defines_it(self) -> Self:
        if self.code and (why := python.missing(self.code, self.source)):
            raise _error(self.source, why)
        return self

    @property
    def known(self) -> ModelInfo:
        """What its source knows of it."""
        return sources.known(self.source)

    @property
    def wants_weights(self) -> bool:
        """Whether its source's own weights must be found: the study gives no file, and its code makes none."""
        return self.weights is None and not self.known.makes_weights

    @property
    def class_count(self) -> int | None:
        """How many classes labels may name: from 0 to one less. None where only building it shows."""
        stated: int | None = self.options.get("num_classes", self.classes)
        return self.known.classes if stated is None else stated

    @property
    def _own_conversion(self) -> Conversion:
        """Of the source's own file, which for Brain-Score an archive that the study names is as well."""
        own = self.known.conversion
        return own if self.wants_weights or own == "brainscore" else "none"

    def held_to(self, table: Mapping[str, Published]) -> Published | None:
        """The clean accuracy it must show: the study's own word, a results table's for this tag, the source's."""
        own_file = self.weights is not None
        name = self.source.partition(":")[2]
        return self.published or (None if own_file else table.get(name, self.known.published))

    def in_pair(self, weights: File | None, code: File | None, published: Published | None = None) -> PairModel:
        """What its jobs are told of it, with the files they are handed and the accuracy they are held to."""
        return PairModel(
            name=self.name,
            # A file's name is no part of the question, its digest is.
            source=f"python:{self.source.rpartition(':')[2]}" if code else self.source,
            options=self.options,
            weights=weights,
            conversion=self.conversion or self._own_conversion,
            code=code,
            classes=self.class_count,
            published=published,
            preprocessing=self.preprocessing,
        )


def _lacks(source: str, known: ModelInfo, data: dict[str, Any]) -> str | None:
    """What an entry must say because its source does not, or None."""
    own_file = "weights" in data
    options = data["options"] if isinstance(data.get("options"), dict) else {}
    outputs = options.get("num_classes")
    other_outputs = isinstance(outputs, int) and outputs != known.classes
    classes = outputs or data.get("classes")
    examples = ", ".join(known.examples) or "there is none"
    lacks = {
        "is a checkpoint without a file; give weights = FILE": source.startswith(sources.CHECKPOINT)
        and not own_file,
        f"is an architecture without weights; give weights = FILE, or a name with weights: {examples}": not (
            own_file or known.weights or known.makes_weights
        ),
        "has no classifier; give options = { num_classes = N } and weights = FILE, or another name": (
            known.classes == 0 and not (own_file and classes)
        ),
        f"has weights for {known.classes} classes; leave num_classes out, or give weights = FILE": (
            known.weights and not own_file and other_outputs
        ),
        f"gives {known.classes} classes in an order of its own, not ImageNet's {IMAGENET}; if the images' labels "
        f"are of that order, state classes = {known.classes}": (
            known.weights and known.classes not in {None, IMAGENET} and classes is None
        ),
        "has no preprocessing of its own; state it: preprocessing = { input_size, mean, std, ... }": (
            "preprocessing" not in data and not known.preprocessing
        ),
    }
    return next((why for why, holds in lacks.items() if holds), None)


def _error(source: str, why: str) -> PydanticCustomError:
    return PydanticCustomError("source", "source {s} {why}", {"s": source, "why": why})
