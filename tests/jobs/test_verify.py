"""`make verify`: it confirms a run, and refutes a modified example, outcome, image or weights file."""

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from alignsec import atomic, digest
from alignsec.images.clean_pixels import to_floats
from alignsec.models.images import load_images
from alignsec.run import outcome_file
from alignsec.run.examples_file import ExamplesFile
from alignsec.run.folder import JOB_EXAMPLES, RunFolder
from alignsec.run.plan import Plan, PlannedPair
from alignsec.spec.pair import File
from jobs import verify
from jobs.checkpoint import Checkpoint
from jobs.pair_evaluation import evaluate_pair
from jobs.provenance import Clock
from tests.jobs.job_folders import StagedFiles
from tests.jobs.verified_run import VerifiedRun
from tests.paths import CHECKOUT


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, staged: StagedFiles) -> VerifiedRun:
    """A run that is copied by each test."""
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    pairs = (
        staged.pair(),
        staged.pair(norm="L2", eps=["0.5"], keep="all"),
        staged.pair(method="clean", norm=None, eps=[], steps=100),
    )
    for part in (folder.weights, folder.images, folder.outcomes):
        part.mkdir()
    shutil.copy(staged.weights, folder.weights)
    shutil.copy(staged.folder / staged.pack.name, folder.images)
    inputs = (f"weights/{staged.weights.name}", f"images/{staged.pack.name}")
    Plan(
        name="r", title="R", seed=0, study_sha256="1" * 64, code_sha256="2" * 64, written="2026", scores=None,
        images=staged.pack, image_count=8, planned=tuple(PlannedPair(pair=pair, inputs=inputs) for pair in pairs),
    ).write(folder)  # fmt: skip
    job = tmp_path_factory.mktemp("job")
    for path in (staged.weights, staged.folder / staged.pack.name):
        shutil.copy(path, job)
    for pair in pairs:
        checkpoint = Checkpoint(job / "checkpoint", Clock(), every=None)
        record = evaluate_pair(pair, job, checkpoint, Clock(), {})
        if record.examples is not None:
            shutil.copy(job / JOB_EXAMPLES, folder.examples(pair.id))
        outcome_file.write(folder.outcome(pair.id), record)
    return VerifiedRun(folder, pairs)


@pytest.fixture
def run(made: VerifiedRun, tmp_path: Path) -> VerifiedRun:
    shutil.copytree(made.folder.root, tmp_path / "run")
    return VerifiedRun(RunFolder(tmp_path / "run"), made.pairs)


def test_an_untouched_run_is_confirmed(run: VerifiedRun):
    """Expect every clean verdict, every kept example, and at most two passes for each image."""
    code, found = run.verify()
    assert (found.refuted, found.unconfirmed, code) == ([], [], 0)
    kept = [len(ExamplesFile.parse(run.folder.examples(pair.id).read_bytes()).examples) for pair in run.pairs[:2]]
    assert found.examples == sum(kept) > 3
    assert found.clean_verdicts == 3 * 8
    assert found.inputs == 8 + sum(kept)
    assert found.inputs <= found.passes <= 2 * found.inputs
    assert found.most_passes <= 2
    assert found.is_current({pair.id: digest.sha256_of_file(run.folder.outcome(pair.id)) for pair in run.pairs})


def test_the_engine_is_not_imported():
    """The check is independent of the code that made the examples, and of its judge."""
    program = "import sys, jobs.verify; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=300
    )
    loaded = done.stdout.split()
    assert "jobs.verification.run_claims" in loaded
    assert not [
        name for name in loaded if name.startswith(("alignsec.engine", "alignsec.evaluat", "pyautoattack"))
    ]


def cut_examples(run: VerifiedRun) -> None:
    path = run.folder.examples(run.pairs[0].id)
    path.write_bytes(path.read_bytes()[:-9])


def remove_examples(run: VerifiedRun) -> None:
    run.folder.examples(run.pairs[0].id).unlink()


def edit_outcome(run: VerifiedRun) -> None:
    path = run.folder.outcome(run.pairs[0].id)
    path.write_bytes(path.read_bytes().replace(b'"classes": 5', b'"classes": 6'))


def forge_clean_verdict(run: VerifiedRun) -> None:
    budgets = [one.model_copy(update={"verdicts": one.verdicts[:7] + "R"}) for one in run.record.budgets]
    run.replace_record(budgets=budgets, clean_top5="")


def forge_broken_verdict(run: VerifiedRun) -> None:
    """An image that no example breaks is called broken."""
    first = run.record.budgets[0]
    robust = first.verdicts.index("R")
    changed = first.verdicts[:robust] + "c" + first.verdicts[robust + 1 :]
    budgets = [first.model_copy(update={"verdicts": changed, "broken_at_distance": []}), *run.record.budgets[1:]]
    run.replace_record(budgets=budgets)


def change_image(run: VerifiedRun) -> None:
    path = next(run.folder.images.iterdir())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def change_weights(run: VerifiedRun) -> None:
    path = next(run.folder.weights.iterdir())
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def swap_examples(run: VerifiedRun) -> None:
    """The examples of another pair, named correctly in the outcome."""
    other = run.folder.examples(run.pairs[1].id)
    shutil.copy(other, run.folder.examples(run.pairs[0].id))
    run.replace_record(examples=File(name="x", sha256=digest.sha256_of_file(other)))


@pytest.mark.parametrize(
    ("damage", "state", "reason"),
    [
        (cut_examples, "refuted", "but its outcome names"),
        (remove_examples, "refuted", "the file of its adversarial examples is missing"),
        (swap_examples, "refuted", "is of the pair"),
        (edit_outcome, "refuted", "was changed after it was written"),
        (forge_clean_verdict, "refuted", "1 clean verdicts are not those of the model: 7.png"),
        (forge_broken_verdict, "unconfirmed", "have no stored example"),
        (change_image, "refuted", "it is truncated or changed"),
        (change_weights, "refuted", "the file is truncated or changed"),
        (lambda run: next(run.folder.weights.iterdir()).unlink(), "unconfirmed", "is not in the run folder"),
        (lambda run: run.folder.outcome(run.pairs[1].id).unlink(), "unconfirmed", "no outcome file"),
        (lambda run: run.replace_record(examples=None), "unconfirmed", "have no stored example"),
        (lambda run: run.replace_example(lambda x: x * 0.9), "refuted", "in Linf, outside the budget"),
        (lambda run: run.replace_example(lambda x: x * np.nan), "refuted", "values that are not finite"),
        (lambda run: run.replace_example(lambda x: x - 2), "refuted", "values outside [0,1]"),
        (lambda run: run.replace_example(lambda x: x, distance=1e-3), "refuted", "0.001 is recorded"),
        (lambda run: run.replace_example(lambda x: x, component="square"), "refuted", "the example is of square"),
    ],
)
def test_a_change_is_detected(run: VerifiedRun, damage: Callable[[VerifiedRun], None], state: str, reason: str):
    damage(run)
    code, found = run.verify()
    assert code == 1
    reasons = [one.reason for one in getattr(found, state)]
    assert any(reason in one for one in reasons), (reasons, found)
    if state == "unconfirmed":
        assert not found.refuted


def test_an_example_that_is_classified_correctly_is_refuted(run: VerifiedRun):
    """The clean image is within the budget. Its distance is recorded too, so only the model refutes it."""
    entry = run.examples.examples[0]
    first = run.record.budgets[entry.budget]
    budgets = list(run.record.budgets)
    budgets[entry.budget] = first.model_copy(update={"broken_at_distance": []})
    clean = to_floats(run.examples.read_clean(entry.image))
    run.replace_record(budgets=budgets)
    run.replace_example(lambda x: clean, distance=0.0)
    code, found = run.verify()
    assert code == 1
    assert "it is classified correctly" in found.refuted[0].reason
    assert found.most_passes == 2


def write_folder(run: VerifiedRun, tmp_path: Path, suffix: str, change: float = 0.0) -> Path:
    """Write x_adv of all images at the second budget in the form of another tool."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    pack = run.folder.images / run.pairs[0].images.name
    clean = load_images(pack, run.pairs[0].images.sha256, run.pairs[0].model.preprocessing).pixels[:].numpy()
    examples, found = clean.copy(), run.examples
    for number, entry in enumerate(found.examples):
        if entry.budget == 1:
            examples[entry.image] = found.read_example(number) + np.float32(change)
    if suffix == ".npy":
        np.save(folder / "x.npy", examples)
    elif suffix == ".npz":
        order = list(range(8))[::-1]
        np.savez(folder / "x.npz", x_adv=examples[order], images=[f"{number}.png" for number in order])
    else:
        tensor = torch.from_numpy(examples)
        torch.save({"adv_complete": tensor} if suffix == ".pth" else tensor, folder / f"x{suffix}")
    with (folder / "claims.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "model", "norm", "eps"], [f"x{suffix}", "tiny", "Linf", "0.1"]])
    return folder


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".pth"])
def test_a_folder_of_examples_is_confirmed(run: VerifiedRun, tmp_path: Path, suffix: str):
    folder = write_folder(run, tmp_path, suffix)
    code, found = run.verify("--examples", str(folder))
    broken = sum(entry.budget == 1 for entry in run.examples.examples)
    assert (found.refuted, found.unconfirmed, code) == ([], [], 0)
    assert found.examples == found.passes == broken
    (claim,) = found.claims
    assert (claim["images"], claim["unchanged"], claim["adversarial"]) == (8, 8 - broken, broken)
    assert claim["robust in the run"] == 0


def test_examples_beyond_the_budget_are_refuted(run: VerifiedRun, tmp_path: Path):
    code, found = run.verify("--examples", str(write_folder(run, tmp_path, ".npy", change=0.001)))
    assert code == 1
    assert "images are not within the budget" in found.refuted[0].reason


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x.npy,other,Linf,0.1", "the run has no model other"),
        ("absent.npy,tiny,Linf,0.1", "is not in the folder"),
        ("claims.csv,tiny,Linf,0.1", "cannot be read"),
    ],
)
def test_claims_that_cannot_be_checked_are_listed(run: VerifiedRun, tmp_path: Path, line: str, message: str):
    folder = write_folder(run, tmp_path, ".npy")
    atomic.write_atomic(folder / "claims.csv", f"file,model,norm,eps\n{line}\n".encode())
    code, found = run.verify("--examples", str(folder))
    assert code == 1
    assert message in found.unconfirmed[0].reason


def test_errors_of_claims_are_reported_together(
    run: VerifiedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    lines = ["file,model,norm,eps", "../x.npy,tiny,Linf,0.1", "x.npy,tiny,L3,0.1", "x.npy,tiny,Linf,zero"]
    (tmp_path / "claims.csv").write_text("\n".join(lines), encoding="utf-8")
    assert verify.main([str(run.folder.root), "--examples", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    for words in ("line 2", 'the norm "L3"', 'eps "zero"'):
        assert words in message
