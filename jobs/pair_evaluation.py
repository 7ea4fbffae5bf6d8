"""Pair evaluation: checks a pair's files, loads its model and images, evaluates it and makes the record."""

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from alignsec import atomic, digest, evaluator, python_file
from alignsec.evaluation.clean_check import check_clean_accuracy
from alignsec.evaluation.custom_attack import CustomAttack
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.kept_examples import KeptExamples
from alignsec.evaluation.passes.precision import describe_precision
from alignsec.evaluation.task import Task
from alignsec.models.images import ImageLoader, load_images
from alignsec.run import outcome_file
from alignsec.run.folder import EXAMPLES_SUFFIX, JOB_EXAMPLES
from alignsec.run.outcome import Provenance, Record
from alignsec.run.progress import Progress
from alignsec.spec.components import CUSTOM
from alignsec.spec.pair import File, Pair
from alignsec.spec.verdicts import BudgetVerdicts, round_distance
from jobs import provenance
from jobs.checkpoint import Checkpoint
from jobs.device import choose_device, disable_reduced_precision, find_uuid, limit_gpu_memory
from jobs.gpu_usage import GpuUsage
from jobs.model_files import check_digests, load_model


def evaluate_pair(
    pair: Pair, folder: Path, checkpoint: Checkpoint, clock: provenance.Clock, environ: Mapping[str, str]
) -> Record:
    """Evaluate a pair and return its record.

    Args:
        pair: The pair.
        folder: Folder with the pair's files.
        checkpoint: The job's checkpoint, from which the evaluation is resumed.
        clock: The job's clock.
        environ: The job's environment variables.

    Raises:
        UnusableGpuError: If the job was assigned a GPU and cannot use it.
        TransferError: If a file has another digest than the pair says.
        PackError: If a pack is damaged.
        ImageError: If an image cannot be decoded.
        ModelError: If the model cannot be built or returns no usable logits.
        CleanAccuracyError: If the clean accuracy is not the published one.
        ValueError: If the corrupted images are not those of the clean set.
        CheckpointSaved: If the job must stop because its time is up.
    """
    disable_reduced_precision()
    device = choose_device(provenance.find_assigned_gpus(environ))
    limit_gpu_memory(device, provenance.read_gpu_memory_bytes())
    check_digests(folder, (pair.model.weights, pair.model.code, pair.attack_code, pair.extends))
    # Images are decoded while the model is loaded and, batch by batch, during the clean pass.
    with _load_clean(pair, folder, device) as images, _load_corrupted(pair, folder, device) as corrupted:
        task = _make_task(pair, folder, device, images, corrupted)
        model, kept = task.classifier, KeptExamples(pair.id, pair.attack, images.pixels)
        reporter = ProgressReporter(len(images.names), GpuUsage(find_uuid(device)))
        model.on_pass = lambda: reporter.report_pass(model.passes.forward)
        resume_from, memory_bytes = checkpoint.read(pair.id), provenance.read_memory_bytes()
        kept.restore(checkpoint.examples)
        every = checkpoint.seconds_between_yields
        for evaluation in evaluator.evaluate(task, resume_from, every, memory_bytes, kept.add):
            # The first evaluation follows the clean pass, so no attack runs on a model that fails the check.
            notes = check_clean_accuracy(pair.model, evaluation)
            reporter.report_step(evaluation, model.passes.forward)
            checkpoint.save_if_due(pair.id, evaluation, kept.save)
        measured = reporter.measured(model.passes.forward)
        examples = _write_examples(folder, kept, task, images.names)
    precision = describe_precision(pair.attack.search, device, pair.attack.compile)
    seconds = {"seconds": checkpoint.seconds}
    gathered = provenance.gather(clock, environ, precision).model_copy(update={**seconds, **measured})
    record = _make_record(pair, images, evaluation, notes, gathered)
    return record.model_copy(update={"examples": examples})


def _write_examples(folder: Path, kept: KeptExamples, task: Task, names: Sequence[str]) -> File | None:
    """Write the file of kept adversarial examples and return its entry in the record; None if there are none.

    Raises:
        OSError: If the file cannot be written.
    """
    data = kept.finish(task.classifier, task.labels, names)
    if kept.left_out:
        sys.stdout.write(f"examples of {kept.left_out} images are left out: the file would be too large\n")
    if not data:
        return None
    atomic.write_atomic(folder / JOB_EXAMPLES, data)
    return File(name=f"{kept.pair_id}{EXAMPLES_SUFFIX}", sha256=digest.sha256_of_bytes(data))


def _make_record(
    pair: Pair, images: ImageLoader, evaluation: Evaluation, notes: Sequence[str], gathered: Provenance
) -> Record:
    return Record(
        id=pair.id,
        pair=pair,
        images=images.names,
        labels=images.labels.tolist(),
        classes=evaluation.classes,
        clean_top5=evaluation.clean_top5,
        budgets=[_add_distances(evaluation, index) for index in range(len(evaluation.budgets))],
        clean_passes=evaluation.clean_passes,
        notes=[*evaluation.notes, *notes],
        provenance=gathered,
    )


def _make_task(
    pair: Pair, folder: Path, device: torch.device, images: ImageLoader, corrupted: ImageLoader | None
) -> Task:
    """Load the model and return the task; raise ValueError if the corrupted images are of another set."""
    if corrupted and corrupted.labelled_names != images.labelled_names:
        raise ValueError("the corrupted images must have the names and labels of the clean images")
    model, labels = load_model(pair.model, folder, device), images.labels.to(device)
    others = corrupted.pixels if corrupted else None
    earlier = _read_earlier(pair, folder)
    custom = _load_custom_attack(pair, folder)
    return Task(model, images.pixels, labels, pair.attack, pair.seed, others, pair.audit_key, earlier, custom)


def _read_earlier(pair: Pair, folder: Path) -> tuple[BudgetVerdicts, ...]:
    """Return the verdicts of the outcome that the pair extends; none if it extends none.

    Raises:
        DamagedOutcomeError: If the file is damaged.
        ValueError: If it is the outcome of another pair.
    """
    if pair.extends is None:
        return ()
    record = outcome_file.read(folder / pair.extends.name)
    if not isinstance(record, Record) or record.pair.audit_key != pair.audit_key:
        raise ValueError(f"{pair.extends.name}: not an outcome of the same pair with another audited share")
    return tuple(record.budgets)


def _load_custom_attack(pair: Pair, folder: Path) -> CustomAttack | None:
    if pair.attack_code is None:
        return None
    name = pair.attack.method.removeprefix(python_file.SCHEME)
    return CustomAttack.load(folder / pair.attack_code.name, name, pair.attack.options)


def _load_clean(pair: Pair, folder: Path, device: torch.device) -> ImageLoader:
    return load_images(folder / pair.images.name, pair.images.sha256, pair.model.preprocessing, device)


def _load_corrupted(pair: Pair, folder: Path, device: torch.device) -> AbstractContextManager[ImageLoader | None]:
    """Load the corrupted images from a separate pack, or make them from the clean images."""
    attack, preprocessing = pair.attack, pair.model.preprocessing
    if pair.corrupted is not None:
        pack = folder / pair.corrupted.name
        return load_images(pack, pair.corrupted.sha256, preprocessing.uncropped, device)
    if not (attack.corruption and attack.severity):
        return nullcontext()
    # Imported here because it loads OpenCV and a compiler, which no other job needs.
    from alignsec.evaluation.corruption_generator import CorruptionGenerator  # noqa: PLC0415

    change = CorruptionGenerator(attack.corruption, attack.severity, pair.seed, attack.generator)
    return load_images(folder / pair.images.name, pair.images.sha256, preprocessing.uncropped, device, change)


def _add_distances(evaluation: Evaluation, index: int) -> BudgetVerdicts:
    """Return a budget's verdicts with the step and the distance of each adversarial image.

    A custom attack reports no steps.
    """
    found = sorted(
        (one for one in evaluation.adversarial_images if one.budget == index), key=lambda one: one.image
    )
    steps = [one.step for one in found if one.component != CUSTOM.name]
    distances = [round_distance(one.distance) for one in found]
    return evaluation.budgets[index].model_copy(update={"broken_at_step": steps, "broken_at_distance": distances})


class ProgressReporter:
    """Writes progress lines to the job's log: after every step, and every few seconds within a step."""

    EVERY_SECONDS = 2.0

    def __init__(self, images: int, usage: GpuUsage) -> None:
        self._images, self._usage = images, usage
        self._started = self._reported = time.monotonic()
        self._step_passes = 0
        self._evaluation: Evaluation | None = None

    def report_step(self, evaluation: Evaluation, passes: int) -> None:
        """Write a line after a step.

        Args:
            evaluation: The evaluation after the step.
            passes: Forward passes so far, counted in images.
        """
        if evaluation.max_batch != (self._evaluation.max_batch if self._evaluation else 0):
            sys.stdout.write(f"batches of at most {evaluation.max_batch} images\n")
        self._evaluation, self._step_passes = evaluation, passes
        self._write(evaluation, passes)

    def report_pass(self, passes: int) -> None:
        """Write a line if the last one is older than EVERY_SECONDS; called after every forward pass.

        Args:
            passes: Forward passes so far, counted in images.
        """
        if self._evaluation is not None and time.monotonic() - self._reported >= self.EVERY_SECONDS:
            self._write(self._evaluation, passes)

    def measured(self, passes: int) -> dict[str, object]:
        """Return the fields of the provenance that are measured during the evaluation.

        Args:
            passes: Forward passes so far, counted in images.
        """
        return {
            "driver": self._usage.driver,
            "gpu_utilisation_percent": self._usage.utilisation_percent,
            "images_per_second": round(passes / max(time.monotonic() - self._started, 1e-9), 3),
        }

    def _write(self, evaluation: Evaluation, passes: int) -> None:
        self._reported = now = time.monotonic()
        total = self._images * len(evaluation.budgets)
        rate = passes / max(now - self._started, 1e-9)
        left = max(evaluation.passes_left - (passes - self._step_passes), 0)
        doing = "done" if evaluation.complete else f"step {evaluation.steps_done + 1} of {evaluation.steps}"
        progress = Progress(total - evaluation.undecided, total, rate, round(left / rate) if rate else 0, doing)
        sys.stdout.write(f"{progress}\n")
        sys.stdout.flush()
        self._usage.sample_if_due()
