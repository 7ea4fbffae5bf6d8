"""Kept adversarial examples of a run, of which the report and a figure show a few."""

import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from alignsec import limits
from alignsec.images.clean_pixels import Bytes, to_floats
from alignsec.images.packing import Floats
from alignsec.run import examples_file
from alignsec.run.examples_file import DamagedExamplesError, ExamplesFile
from alignsec.run.folder import EXAMPLES_SUFFIX
from alignsec.run.plan import Plan
from alignsec.spec.components import COMPONENTS, Norm
from alignsec.spec.pair import Pair


@dataclass(frozen=True)
class ShownExample:
    """One adversarial example with what a caption says about it."""

    model: str
    attack: str
    eps: str
    norm: Norm
    image: str
    """File name."""
    label: int
    clean_confidence: float
    predicted: int
    confidence: float
    component: str
    """Label of the component that broke the image."""
    distance: float
    clean: Bytes
    """uint8, C x H x W."""
    example: Floats
    """float32, C x H x W."""

    @property
    def perturbation(self) -> Floats:
        """Difference from the clean image, C x H x W."""
        return self.example - to_floats(self.clean)

    @property
    def amplification(self) -> float:
        """Factor that takes the largest difference of a pixel to 0.5."""
        return 0.5 / max(float(abs(self.perturbation).max()), 1e-12)


def read_examples(
    plan: Plan, outcomes: Path, named: Mapping[str, str], most: int, failed: list[str]
) -> Iterator[ShownExample]:
    """Yield the first examples of each pair at each budget.

    Args:
        plan: The plan of the run.
        outcomes: Folder or tar archive of outcome files.
        named: SHA-256 of the examples file, by id of the pair.
        most: Number of examples at each budget.
        failed: The list to which a sentence is added for each file that is missing or damaged.
    """
    pairs = {pair.id: pair for pair in plan if pair.id in named}
    readers = _list_readers(outcomes)
    for pair_id, pair in pairs.items():
        try:
            if pair_id not in readers:
                raise DamagedExamplesError("is missing")
            found = examples_file.parse_named(readers[pair_id](), named[pair_id])
            yield from _choose(pair, found, most)
        except DamagedExamplesError as error:
            failed.append(f"The adversarial examples of {pair_id} are not shown: their file {error}.")


def _list_readers(outcomes: Path) -> dict[str, Callable[[], bytes]]:
    """Return a function that reads the file of each pair."""
    if outcomes.is_dir():
        paths = (path for path in outcomes.iterdir() if path.name.endswith(EXAMPLES_SUFFIX))
        return {path.name.removesuffix(EXAMPLES_SUFFIX): _make_reader(path, path.name) for path in paths}
    with tarfile.open(outcomes) as archive:
        names = [member.name for member in archive if member.isfile() and member.name.endswith(EXAMPLES_SUFFIX)]
    return {Path(name).name.removesuffix(EXAMPLES_SUFFIX): _make_reader(outcomes, name) for name in names}


def _make_reader(path: Path, name: str) -> Callable[[], bytes]:
    def read() -> bytes:
        if path.name == name:
            return examples_file.read_bytes(path)
        with tarfile.open(path) as archive:
            member = archive.extractfile(name)
            return member.read(limits.EXAMPLES_BYTES) if member else b""

    return read


def _choose(pair: Pair, found: ExamplesFile, most: int) -> Iterator[ShownExample]:
    counts = dict.fromkeys(range(len(found.header.budgets)), 0)
    for number, entry in enumerate(found.examples):
        counts[entry.budget] = counts.get(entry.budget, 0) + 1
        if counts[entry.budget] > most or entry.budget >= len(found.header.budgets):
            continue
        image = found.find_image(entry)
        yield ShownExample(
            model=pair.model.name,
            attack=pair.attack.series,
            eps=found.header.budgets[entry.budget].text,
            norm=found.header.norm,
            image=image.name,
            label=image.label,
            clean_confidence=image.confidence,
            predicted=entry.predicted,
            confidence=entry.confidence,
            component=COMPONENTS[entry.component].label if entry.component in COMPONENTS else entry.component,
            distance=entry.distance,
            clean=found.read_clean(entry.image),
            example=found.read_example(number),
        )
