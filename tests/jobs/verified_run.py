"""A run that tests verify, and forgeries of it with valid checksums."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alignsec import digest
from alignsec.images.clean_pixels import pack_clean, to_floats
from alignsec.run import examples_file, outcome_file
from alignsec.run.examples_file import ExampleEntry, ExamplesFile
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.verification import Verification, read_verification
from alignsec.spec.pair import File, Pair
from jobs import verify


@dataclass
class VerifiedRun:
    """A run of one tiny model under two attacks."""

    folder: RunFolder
    pairs: tuple[Pair, ...]

    def verify(self, *more: str) -> tuple[int, Verification]:
        """Return the exit code and the result."""
        code = verify.main([str(self.folder.root), "--device", "cpu", *more])
        place = Path(more[1]) / "verify.json" if more else self.folder.verification
        found = read_verification(place)
        assert found is not None
        return code, found

    @property
    def record(self) -> Record:
        """The outcome of the first pair."""
        found = outcome_file.read(self.folder.outcome(self.pairs[0].id))
        assert isinstance(found, Record)
        return found

    @property
    def examples(self) -> ExamplesFile:
        """The kept examples of the first pair."""
        return ExamplesFile.parse(self.folder.examples(self.pairs[0].id).read_bytes())

    def replace_record(self, **changes: object) -> None:
        """Write another outcome with a valid checksum, as somebody would who wants to deceive."""
        outcome_file.write(self.folder.outcome(self.pairs[0].id), self.record.model_copy(update=changes))

    def replace_example(self, change: Callable[[np.ndarray], np.ndarray], **entry_changes: object) -> None:
        """Change the pixels and the entry of the first example, and name the new file in the outcome."""
        found, images, examples = self.examples, [], []
        for image in found.images:
            images.append((image, pack_clean(found.read_clean(image.image))))
        for number, entry in enumerate(found.examples):
            pixels = found.read_example(number)
            if number == 0:
                pixels, entry = change(pixels), entry.model_copy(update=entry_changes)  # noqa: PLW2901
            eps = float(found.header.budgets[entry.budget])
            clean = to_floats(found.read_clean(entry.image))
            packed = examples_file.pack_example(pixels.astype(np.float32), clean, found.header.norm, eps)
            sizes = {"kinds": len(packed.kinds), "others": len(packed.others)}
            examples.append((ExampleEntry(**{**entry.model_dump(), **sizes}), packed))
        header = found.header
        data = examples_file.dump(header.pair, header.shape, header.norm, header.budgets, images, examples)
        path = self.folder.examples(self.pairs[0].id)
        path.write_bytes(data)
        self.replace_record(examples=File(name=path.name, sha256=digest.sha256_of_bytes(data)))
