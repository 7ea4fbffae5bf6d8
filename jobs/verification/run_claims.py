"""Claims of a run: the clean verdicts and the kept adversarial examples of its outcomes."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch

from alignsec.images.clean_pixels import to_floats
from alignsec.images.packing import Floats
from alignsec.models.errors import ModelError
from alignsec.models.images import ImageError
from alignsec.run import examples_file, status
from alignsec.run.examples_file import DamagedExamplesError, ExampleEntry, ExamplesFile
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.plan import Plan, PlannedPair
from alignsec.run.verification import Finding
from alignsec.spec.components import COMPONENTS
from alignsec.spec.keep import count_kept
from alignsec.spec.verdicts import MENDED, WRONG, broken_letters
from jobs.verification.classification import Judgement
from jobs.verification.models import ChangedFileError, OpenModel, UnavailableError, open_model
from jobs.verification.pixels import explain_pixels, measure_distance

_NEAR = "by a margin that float32 rounding on another device can explain"
_LISTED = 5
"""Images that one finding names."""
_INPUTS = {"folder", "device", "advance"}
_DIGITS = 1e-5
"""Largest relative difference of a recorded distance, which has six digits."""


@dataclass
class RunClaims:
    """Checks the claims of a run's outcomes and collects what it finds."""

    folder: RunFolder
    device: torch.device
    advance: Callable[[], None] = lambda: None
    """Called after each pair."""
    outcomes: dict[str, str] = field(default_factory=dict)
    clean_verdicts: int = 0
    examples: int = 0
    inputs: int = 0
    passes: int = 0
    most_passes: int = 0
    refuted: list[Finding] = field(default_factory=list)
    unconfirmed: list[Finding] = field(default_factory=list)

    def check(self, plan: Plan) -> None:
        """Check every pair of the plan, model by model: each model is loaded once."""
        groups: dict[str, list[tuple[PlannedPair, Record]]] = {}
        for planned in plan.planned:
            pair = planned.pair
            found = status.read_pair_status(pair, self.folder.outcome(pair.id))
            if found.outcome_sha256:
                self.outcomes[pair.id] = found.outcome_sha256
            if found.record is None or found.state != "ok":
                self._add_unread(pair.id, found)
                self.advance()
                continue
            key = pair.model.model_dump_json() + pair.images.sha256
            groups.setdefault(key, []).append((planned, found.record))
        for group in groups.values():
            self._check_model(group)

    def results(self) -> dict[str, Any]:
        """Return the fields of the verification."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _INPUTS}

    def _add_unread(self, pair_id: str, found: status.PairStatus) -> None:
        """Add a pair without verdicts: a damaged outcome is refuted; a failed or missing pair claims nothing."""
        is_damaged = found.state == "failed" and found.failure is None
        self._add(pair_id, f"the pair is {found.state}: {found.reason}", refuted=is_damaged)

    def _add(self, subject: str, reason: str, *, refuted: bool) -> None:
        (self.refuted if refuted else self.unconfirmed).append(Finding(subject=subject, reason=reason))

    def _check_model(self, group: list[tuple[PlannedPair, Record]]) -> None:
        """Check all pairs of one model."""
        try:
            with open_model(self.folder, group[0][0], self.device) as model:
                self._check_clean(model, [record for _, record in group])
                for _, record in group:
                    self._check_examples(model, record)
                    self.advance()
                self.inputs += model.check.inputs
                self.passes += model.check.passes
                self.most_passes = max(self.most_passes, model.check.most_passes)
        except (UnavailableError, ChangedFileError, ModelError, ImageError) as error:
            for _, record in group:
                self._add(record.id, str(error), refuted=isinstance(error, ChangedFileError))
                self.advance()

    def _check_clean(self, model: OpenModel, records: list[Record]) -> None:
        """Check which clean images are classified wrongly, in all pairs of one model at once."""
        images = model.images
        comparable = []
        for record in records:
            if (record.images, record.labels) == (images.names, images.labels.tolist()):
                comparable.append(record)
            else:
                self._add(record.id, "its images and labels are not those of the pack", refuted=True)
        claimed = [[letter in (WRONG, MENDED) for letter in one.budgets[0].verdicts] for one in comparable]
        if not claimed:
            return
        found = model.check.classify(
            images.pixels, images.labels, [set(wrong) for wrong in zip(*claimed, strict=True)]
        )
        for record, wrong in zip(comparable, claimed, strict=True):
            judged = [one.judge(claim) for one, claim in zip(found, wrong, strict=True)]
            self.clean_verdicts += judged.count("confirmed")
            for judgement in ("refuted", "near"):
                names = [name for name, one in zip(record.images, judged, strict=True) if one == judgement]
                self._add_clean(record.id, judgement, names)

    def _add_clean(self, pair_id: str, judgement: Judgement, names: list[str]) -> None:
        if names:
            listed = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
            how = "" if judgement == "refuted" else f" {_NEAR}"
            reason = f"{len(names)} clean verdicts are not those of the model{how}: {listed}"
            self._add(pair_id, reason, refuted=judgement == "refuted")

    def _check_examples(self, model: OpenModel, record: Record) -> None:
        """Check the kept examples of one pair."""
        if record.images != model.images.names:
            return
        try:
            found = self._read_examples(record)
        except DamagedExamplesError as error:
            self._add(record.id, f"the file of its adversarial examples {error}", refuted=True)
            return
        self._check_expected(record, found)
        if found is None:
            return
        checked: list[tuple[ExampleEntry, Floats]] = []
        for number, entry in enumerate(found.examples):
            try:
                example = found.read_example(number)
                reason = self._explain_example(model, record, found, entry, example)
            except DamagedExamplesError as error:
                reason = f"it {error}"
            if reason:
                self._add(record.id, f"{_name_example(record, entry)}: {reason}", refuted=True)
            else:
                checked.append((entry, example))
        if checked:
            self._classify_examples(model, record, checked)

    def _read_examples(self, record: Record) -> ExamplesFile | None:
        if record.examples is None:
            return None
        found = examples_file.read(self.folder.examples(record.id), record.examples.sha256)
        if found.header.pair != record.id:
            raise DamagedExamplesError(f"is of the pair {found.header.pair}")
        return found

    def _check_expected(self, record: Record, found: ExamplesFile | None) -> None:
        """Check that exactly the first broken images have examples."""
        kept = {(one.budget, one.image) for one in found.examples} if found else set()
        for index, budget in enumerate(record.budgets):
            broken = [at for at, letter in enumerate(budget.verdicts) if letter in broken_letters()]
            expected = broken[: count_kept(record.pair.attack, len(broken))]
            absent = [record.images[at] for at in expected if (index, at) not in kept]
            if absent:
                listed = ", ".join(absent[:_LISTED]) + (", ..." if len(absent) > _LISTED else "")
                reason = f"at eps {budget.eps}, {len(absent)} broken images have no stored example: {listed}"
                self._add(record.id, reason, refuted=False)

    def _explain_example(
        self, model: OpenModel, record: Record, found: ExamplesFile, entry: ExampleEntry, example: Floats
    ) -> str:
        """Return why an example is not what the outcome claims, apart from its class; empty if it is."""
        if entry.budget >= len(record.budgets) or entry.image >= len(record.images):
            return "the outcome has no such budget or image"
        budget, clean = record.budgets[entry.budget], model.images.pixels[[entry.image]][0].numpy()
        letter = budget.verdicts[entry.image]
        component = COMPONENTS.get(entry.component)
        if letter not in broken_letters() or component is None or component.letter != letter:
            return f"the outcome's verdict is {letter}, but the example is of {entry.component}"
        if not np.array_equal(to_floats(found.read_clean(entry.image)), clean):
            return "its clean image is not that of the pack"
        if found.find_image(entry).label != record.labels[entry.image]:
            return "its label is not that of the outcome"
        if reason := explain_pixels(clean, example, found.header.norm, float(budget.eps)):
            return reason
        return _explain_distance(record, entry, measure_distance(clean, example, found.header.norm))

    def _classify_examples(
        self, model: OpenModel, record: Record, checked: list[tuple[ExampleEntry, Floats]]
    ) -> None:
        labels = torch.tensor([record.labels[entry.image] for entry, _ in checked])
        pixels = torch.from_numpy(np.stack([example for _, example in checked]))
        for (entry, _), one in zip(
            checked, model.check.classify(pixels, labels, [{True}] * len(labels)), strict=True
        ):
            if (judgement := one.judge(True)) == "confirmed":
                self.examples += 1
                continue
            how = f" {_NEAR}" if judgement == "near" else ""
            reason = f"{_name_example(record, entry)}: it is classified correctly{how}"
            self._add(record.id, reason, refuted=judgement == "refuted")


def _name_example(record: Record, entry: ExampleEntry) -> str:
    image = record.images[entry.image] if entry.image < len(record.images) else entry.image
    eps = record.budgets[entry.budget].eps if entry.budget < len(record.budgets) else "?"
    return f"the example of {image} at eps {eps}"


def _explain_distance(record: Record, entry: ExampleEntry, distance: float) -> str:
    """Return why a distance contradicts the recorded ones; the reference implementation records none by image."""
    budget = record.budgets[entry.budget]
    recorded = [entry.distance]
    if budget.broken_at_distance:
        letters = budget.verdicts[: entry.image]
        recorded.append(budget.broken_at_distance[sum(letter in broken_letters() for letter in letters)])
    for one in recorded:
        if abs(one - distance) > _DIGITS * max(one, distance):
            return f"its distance is {distance:.8g}, but {one:.8g} is recorded"
    return ""
