"""Answering a pair: check the files, load the model and images, evaluate, and write down everything it took."""

import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from alignsec import digest, evaluator
from alignsec.evaluation import clean_check
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes import precision
from alignsec.evaluation.task import Task
from alignsec.models import classifier
from alignsec.models import images as photographs
from alignsec.models.images import ImageLoader
from alignsec.run.outcome import Record
from alignsec.run.progress import Progress
from alignsec.spec.pair import File, Pair
from alignsec.spec.verdicts import BudgetVerdicts, rounded
from jobs import provenance
from jobs.checkpoint import Checkpoint

_LARGE = 128
"""Pixels a side from which weights with channels last pay on a CPU: at 224, MobileNets take a fifth less time;
networks for 28 or 32 pixels take as much or more. On GPUs it is not measured yet."""


class TransferError(Exception):
    """A file is not the one the pair names: it was cut short on its way, or changed since the run was written."""


def evaluate_pair(
    pair: Pair, folder: Path, checkpoint: Checkpoint, clock: provenance.Clock, environ: Mapping[str, str]
) -> Record:
    """The record of a pair whose files lie in a folder.

    Raises TransferError, image_pack.BadPack, images.ImageError, ModelError, CleanAccuracyError;
    ValueError where the corrupted images are of another set; checkpoint.Stopped when it is time to stop.
    """
    disable_reduced_precision()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for file in (pair.model.weights, pair.model.code):
        if file is not None:
            _check(folder, file)
    # Decoding goes on while the model is loaded and, batch after batch, while it looks at the clean images.
    with _clean(pair, folder, device) as pictures, _corrupted(pair, folder, device) as corrupted:
        if corrupted and corrupted.labelled != pictures.labelled:
            raise ValueError("the corrupted images are others than the clean ones, or have other labels")
        model = classifier.load(pair.model, folder, device)
        if device.type == "cpu" and min(pictures.pixels.shape[-2:]) >= _LARGE:
            # torch ships this form of `to` without its type.
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        labels = pictures.labels.to(device)
        task = Task(
            model, pictures.pixels, labels, pair.attack, pair.seed, corrupted.pixels if corrupted else None
        )
        teller = ProgressReporter(len(pictures.names))
        model.on_pass = lambda: teller.tell(model.passes.forward)
        stopped, limit = checkpoint.read(pair.id), provenance.memory_bytes()
        for known in evaluator.evaluate(task, stopped, checkpoint.offers_every, limit):
            # The first time, only the clean images were classified: nothing is spent on attacking another model.
            notes = clean_check.check_clean_accuracy(pair.model, known)
            teller.decided(known, model.passes.forward)
            checkpoint.offer(pair.id, known)
    where = provenance.gather(
        clock, environ, precision.describe_precision(pair.attack.search, device, pair.attack.compile)
    )
    return Record(
        id=pair.id,
        pair=pair,
        images=pictures.names,
        labels=pictures.labels.tolist(),
        classes=known.classes,
        clean_top5=known.clean_top5,
        budgets=[_with_found(known, index) for index in range(len(known.budgets))],
        clean_passes=known.clean_passes,
        notes=[*known.notes, *notes],
        provenance=where.model_copy(update={"seconds": checkpoint.seconds}),
    )


def _clean(pair: Pair, folder: Path, device: torch.device) -> ImageLoader:
    pack = folder / pair.images.name
    return photographs.load_images(pack, pair.images.sha256, pair.model.preprocessing, device)


def _corrupted(pair: Pair, folder: Path, device: torch.device) -> AbstractContextManager[ImageLoader | None]:
    """The images under the attack's corruption, from their own pack or made of the clean ones."""
    attack, preprocessing = pair.attack, pair.model.preprocessing
    if pair.corrupted is not None:
        pack = folder / pair.corrupted.name
        return photographs.load_images(pack, pair.corrupted.sha256, preprocessing.uncropped, device)
    if not (attack.corruption and attack.severity):
        return nullcontext()
    # Here, not above: it loads OpenCV and a compiler, which no other job needs.
    from alignsec.evaluation.corruption_generator import CorruptionGenerator  # noqa: PLC0415

    change = CorruptionGenerator(attack.corruption, attack.severity, pair.seed, attack.generator)
    return photographs.load_images(folder / pair.images.name, pair.images.sha256, preprocessing, device, change)


def _with_found(known: Evaluation, index: int) -> BudgetVerdicts:
    """A budget's verdicts with where and how far away each broken image was found."""
    found = sorted((one for one in known.adversarial_images if one.budget == index), key=lambda one: one.image)
    steps, distances = [one.step for one in found], [rounded(one.distance) for one in found]
    return known.budgets[index].model_copy(update={"broken_at_step": steps, "broken_at_distance": distances})


def disable_reduced_precision() -> None:
    """Turn off what PyTorch rounds behind one's back: TF32 in convolutions is on by default on NVIDIA GPUs."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    # The fastest algorithm can differ from run to run; the same bits every time matter more here.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def _check(folder: Path, file: File) -> None:
    """Raise TransferError unless a file has the digest that the pair names."""
    if (found := digest.sha256_of_file(folder / file.name)) != file.sha256:
        raise TransferError(
            f"{file.name} has the digest {found[:12]}, not {file.sha256[:12]}: cut short or changed"
        )


class ProgressReporter:
    """Says in the job's log how far it is: after every step, and every few seconds within one."""

    EVERY_SECONDS = 2.0

    def __init__(self, images: int) -> None:
        self._images = images
        self._started = self._told = time.monotonic()
        self._step_passes = 0
        self._known: Evaluation | None = None

    def decided(self, known: Evaluation, passes: int) -> None:
        """Take in what a step has found; passes are the forward passes so far, in images."""
        if known.max_batch != (self._known.max_batch if self._known else 0):
            sys.stdout.write(f"at most {known.max_batch} images at once\n")
        self._known, self._step_passes = known, passes
        self.tell(passes, at_once=True)

    def tell(self, passes: int, *, at_once: bool = False) -> None:
        """Called after every forward pass."""
        known, now = self._known, time.monotonic()
        if known is None or not (at_once or now - self._told >= self.EVERY_SECONDS):
            return
        self._told = now
        total = self._images * len(known.budgets)
        rate = passes / max(now - self._started, 1e-9)
        left = max(known.passes_left - (passes - self._step_passes), 0)
        doing = "done" if known.complete else f"step {known.steps_done + 1} of {known.steps}"
        progress = Progress(total - known.undecided, total, rate, round(left / rate) if rate else 0, doing)
        sys.stdout.write(f"{progress}\n")
        sys.stdout.flush()
