"""Outcomes: what came of a pair. One JSON file each, self-validating, never edited, never appended to."""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import from_json

from alignsec import atomic, digest
from alignsec.attack import Breaker
from alignsec.budget import Budget
from alignsec.pair import Pair

VERSION: Literal[2] = 2
"""Of the file's layout. Version 1 had its checksum over the values, not the bytes."""
ROBUST = "R"
WRONG = "W"
MENDED = "m"
BROKEN_BY: dict[Breaker, str] = {"apgd-ce": "c", "apgd-t": "t", "fab-t": "f", "square": "s", "corruption": "x"}
LEGEND = {
    ROBUST: "robust: classified correctly, clean and corrupted, or no adversarial image found within the budget",
    WRONG: "wrong when clean",
    MENDED: "wrong when clean, classified correctly when corrupted",
    **{letter: f"broken by {component}" for component, letter in BROKEN_BY.items()},
}
"""What each letter of a verdict string means; written into every record, so that a file explains itself."""


def _none_negative(counts: list[int]) -> list[int]:
    if counts and min(counts) < 0:
        raise ValueError("every number should be greater than or equal to 0")
    return counts


Count = Annotated[int, Field(ge=0)]
Counts = Annotated[list[int], AfterValidator(_none_negative)]
"""Checked as a whole: a bound on each of thousands of numbers takes four times as long as reading them."""
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Distance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Passes(_Part):
    """Model passes, counted in images: a batch of 32 through the model once is 32."""

    forward: Count = 0
    backward: Count = 0


class BudgetVerdicts(_Part):
    """The verdicts at one budget, one letter an image, in the order of the record's images."""

    eps: Budget
    verdicts: Annotated[str, Field(pattern=rf"^[{''.join(LEGEND)}]*$")]
    largest_distance: Distance
    """Of the adversarial images that count, in the attack's norm, measured in float64."""
    broken_at_step: Counts = []
    """Of each broken image in the order of its letters: the step of the search that broke it, 0 for a random
    start. Empty from the reference, which does not tell."""
    broken_at_distance: list[Distance] = []
    """Likewise the distance of the adversarial image, in the attack's norm, rounded."""
    rejected: Count = 0
    """Images a component claimed to have broken that our own fp32 check did not confirm."""
    seconds: Seconds
    passes: dict[Breaker, Passes]

    @property
    def robust(self) -> int:
        """How many images the model gets right under the attack. Under a corruption that counts the mended ones
        too, as the accuracy on ImageNet-C does (Hendrycks & Dietterich 2019, section 4.1)."""
        return self.verdicts.count(ROBUST) + self.verdicts.count(MENDED)


def rounded(distance: float) -> float:
    """To six digits: pixels are float32, whose seventh is noise, and these are half of a file."""
    return float(f"{distance:.6g}")


class Provenance(_Part):
    """Where, when and with what a pair was run: everything a number needs to be traced."""

    code: str
    """SHA-256 of the code that ran: the run's code.zip, or of the source files where there is none."""
    container: str = ""
    versions: dict[str, str]
    """Of Python and of every library that touches a verdict."""
    precision: str
    device: str
    """The GPU's or CPU's name."""
    host: str
    job: str = ""
    """HTCondor's cluster.process id; empty outside a pool."""
    started: str
    """UTC, ISO 8601."""
    seconds: Seconds
    """From the job's first line to its last."""
    peak_memory_mb: Count | None = None
    """The most memory the job's process held; None where the machine does not tell."""
    peak_gpu_memory_mb: Count | None = None
    """Likewise of the GPU, as its allocator reserved it; None on a CPU."""


class Record(_Part):
    """A pair that was answered."""

    status: Literal["ok"] = "ok"
    schema_version: Literal[2] = VERSION
    id: str
    pair: Pair
    images: list[str]
    """File names in the pack, in the order of every verdict string."""
    labels: Counts
    classes: Annotated[int, Field(ge=2)]
    clean_top5: Annotated[str, Field(pattern=r"^[01]*$")] = ""
    """For each image 1 where its label is among the five highest logits when clean, else 0; empty where the
    outcome is of a time before this was asked."""
    legend: dict[str, str] = LEGEND
    budgets: Annotated[list[BudgetVerdicts], Field(min_length=1)]
    clean_passes: Passes
    notes: list[str] = []
    """Deviations from the standard attack and warnings about the model, for the report."""
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """The letters, the images and the pair must tell one story, or the file is not what it says."""
        if self.id != self.pair.id:
            raise ValueError(f"the id {self.id} is not that of the pair it holds, {self.pair.id}")
        count = len(self.images)
        if len(self.labels) != count or len(set(self.images)) != count:
            raise ValueError(f"{count} images, {len(self.labels)} labels: one label an image, each image once")
        if [b.eps for b in self.budgets] != list(self.pair.attack.budgets):
            raise ValueError("the budgets are not those the attack asks for")
        if any(len(b.verdicts) != count for b in self.budgets):
            raise ValueError("one verdict an image is wanted")
        if len({b.verdicts.translate(_CLEAN_ONLY) for b in self.budgets}) > 1:
            raise ValueError("an image is wrong when clean at one budget and not at another")
        if self.clean_top5 and not _within_top5(self.budgets[0].verdicts, self.clean_top5):
            raise ValueError("an image is right when clean and not among the top five, or has no digit for it")
        return self

    @property
    def clean_correct(self) -> int:
        """How many images are classified correctly when clean."""
        verdicts = self.budgets[0].verdicts
        return len(verdicts) - verdicts.count(WRONG) - verdicts.count(MENDED)

    @property
    def clean_top5_correct(self) -> int | None:
        """How many images have their label among the five highest logits when clean; None where not recorded."""
        return self.clean_top5.count("1") if self.clean_top5 else None


_CLEAN_ONLY = {ord(MENDED): WRONG, **{ord(letter): ROBUST for letter in BROKEN_BY.values()}}
_RIGHT_ONLY = {ord(WRONG): "0", ord(MENDED): "0", **{ord(letter): "1" for letter in (ROBUST, *BROKEN_BY.values())}}


def _within_top5(verdicts: str, top5: str) -> bool:
    """Whether every image that is right when clean is among the top five too."""
    right = verdicts.translate(_RIGHT_ONLY)
    return len(right) == len(top5) and not int(right, 2) & ~int(top5, 2)


class Failure(_Part):
    """A pair that was not answered, and why."""

    status: Literal["failed"] = "failed"
    schema_version: Literal[2] = VERSION
    id: str
    pair: Pair | None
    """None where the pair file itself could not be read."""
    hopeless: bool
    """Another try on another machine would fail as well: the request is wrong, not the machine."""
    reason: str
    """One sentence."""
    traceback: str = ""
    provenance: Provenance | None = None
    """None where the job died before it could say: whoever started it then writes the failure."""


Outcome = Annotated[Record | Failure, Field(discriminator="status")]
_ADAPTER: TypeAdapter[Record | Failure] = TypeAdapter(Outcome)
_SEAL_BYTES = 79
"""Of the last line: 64 digits and what stands around them."""


class Damaged(Exception):
    """A file that is not the outcome that was written: cut short, edited by hand, or of another layout."""


def dump(outcome: Record | Failure) -> bytes:
    """The file's bytes: one JSON object, a field a line, in the last line the SHA-256 of all bytes before it.

    So `head -n -1 FILE | sha256sum` gives what `tail -n 1 FILE` says.
    """
    fields = outcome.model_dump(mode="json").items()
    lines = [f"{_json(name)}: {_json(value)},\n" for name, value in fields]
    return sealed("".join(["{\n", *lines]).encode())


def sealed(body: bytes) -> bytes:
    """A file's bytes from all its lines but the last."""
    return body + _seal(body)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _seal(body: bytes) -> bytes:
    return b'"checksum": "%s"}' % digest.of_bytes(body).encode()


def parse(data: bytes) -> Record | Failure:
    """An outcome from its file's bytes.

    Raises Damaged, saying what is wrong, unless every byte is as it was written.
    """
    return _parsed(data, _content)


def skim(data: bytes) -> Record | Failure:
    """As parse, but a record comes without the steps and distances at which images broke.

    They are half of a file and no table tells them; and what all outcomes of a run have in common is read once.
    """
    return _parsed(data, _content_skimmed)


def _parsed(data: bytes, content: Callable[[bytes], object]) -> Record | Failure:
    body = data[:-_SEAL_BYTES]
    if data[-_SEAL_BYTES:] != _seal(body):
        raise Damaged(_what_is_wrong(data))
    layout = f"has another layout than version {VERSION}"
    try:
        # In two steps, because pydantic's validate_json takes half as long again (2.14, files of 1,000 images).
        return _ADAPTER.validate_python(content(body.removesuffix(b",\n") + b"}"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Damaged(f"{layout}: {place}: {first['msg']}") from None
    except ValueError as error:
        raise Damaged(f"{layout}: {error}") from None


def _content(text: bytes) -> object:
    return from_json(text, allow_inf_nan=False)


_SEARCHES = re.compile(rb',"broken_at_(?:step|distance)":\[[^]]*\]')
"""No string of a file has this in it: there every quote stands behind a backslash."""
_COMMON = frozenset({b'"images":', b'"labels":', b'"legend":'})
"""How the lines begin that are the same in most files of a run."""


def _content_skimmed(text: bytes) -> object:
    common: dict[str, object] = {}
    lines = []
    for line in _SEARCHES.sub(b"", text).split(b"\n"):
        if line[:9] in _COMMON and line.endswith(b","):
            common |= _common(line)
        else:
            lines.append(line)
    content = _content(b"\n".join(lines))
    return {**content, **common} if isinstance(content, dict) else content


@lru_cache(maxsize=8)
def _common(line: bytes) -> dict[str, object]:
    content: dict[str, object] = from_json(b"{%s}" % line[:-1], allow_inf_nan=False)
    return content


def _what_is_wrong(data: bytes) -> str:
    """Why a file without a checksum that fits its bytes is no outcome."""
    try:
        content: Any = json.loads(data, parse_constant=_refuse)
        checksum = content.pop("checksum", None) if isinstance(content, dict) else None
        # Inside, because json.loads takes 1e999 and half a character, which no outcome has.
        earlier = (
            checksum is not None and content.get("schema_version") == 1 and digest.of_json(content) == checksum
        )
    except (ValueError, RecursionError) as error:
        return f"is not JSON ({error}); was its transfer cut short?"
    if checksum is None:
        return "has no checksum: it is not an outcome file"
    if earlier:
        return (
            f"is of version 1, and this code reads version {VERSION}: analyse its run with that run's own "
            "code.zip, or submit the study again"
        )
    return "was changed after it was written: its checksum does not match its bytes"


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")


def write(path: Path, outcome: Record | Failure) -> None:
    """Write an outcome file, aside and renamed. Raises OSError if it cannot be written whole."""
    atomic.write(path, dump(outcome))


def read(path: Path) -> Record | Failure:
    """Read an outcome file. Raises Damaged if it is not what was written, OSError if it cannot be read."""
    return parse(path.read_bytes())
