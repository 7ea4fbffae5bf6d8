"""Writers of results on a disk that fails: the n-th operation fails, for each n until the writer succeeds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from aggregate.analysis import write_analysis
from alignsec import atomic, digest
from alignsec.evaluation.evaluation import Evaluation
from alignsec.run import examples_file, outcome_file
from alignsec.run.event_log import EventLog
from alignsec.run.folder import EXAMPLES_SUFFIX, JOB_CHECKPOINT, RunFolder
from alignsec.run.outcome import Record
from alignsec.run.plan import Plan, PlannedPair
from alignsec.run.status import read_statuses
from alignsec.spec.pair import File
from alignsec.spec.verdicts import Passes
from jobs.checkpoint import Checkpoint, CheckpointSaved
from jobs.provenance import Clock
from tests.failing_writes import ERRORS, FailingDisk, fail_each_operation, list_temporary_files, skip_sync
from tests.tiny import attack, failure, pair, record

ATOMIC = ["open", "open", "write", "fsync", "replace", "open", "fsync", "unlink"]
"""Operations of an atomic write: create, open, write, fsync, rename, open and fsync the folder, clean up."""
PAIR = pair()
VERDICTS = ["RRcW", "RstW"]

every_error = pytest.mark.parametrize("error", ERRORS.values(), ids=list(ERRORS))
once_and_lasting = pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_sync(monkeypatch)


def make_plan(*names: str) -> Plan:
    pairs = (PAIR, *(pair(name=name) for name in names))
    return Plan(
        name="r",
        title="A run",
        seed=3,
        study_sha256="1" * 64,
        code_sha256="2" * 64,
        written="2025-11-23T20:00:00+00:00",
        images=File(name="images.tar", sha256="2" * 64),
        image_count=4,
        scores=None,
        planned=tuple(PlannedPair(pair=one, inputs=()) for one in pairs),
    )


class FixedClock(Clock):
    """A clock that stands still, so that equal checkpoints have equal bytes."""

    @property
    def seconds(self) -> float:
        """Return the same time at each call."""
        return 1.0


def write_checkpoint(path: Path, done: int) -> None:
    known = Evaluation(
        classes=5, clean_passes=Passes(forward=2), budgets=(), steps_done=done, steps=9, undecided=1, passes_left=3
    )
    checkpoint = Checkpoint(path, FixedClock(), every=0, evaluations=1)
    with pytest.raises(CheckpointSaved):
        checkpoint.save_if_due(PAIR.id, known.with_lazy_state(lambda: bytes([done]) * 1000))


@every_error
@once_and_lasting
def test_atomic_write(tmp_path: Path, error: Callable[[], BaseException], lasting: bool):
    path = tmp_path / "f"
    done = fail_each_operation(
        tmp_path,
        lambda: atomic.write_atomic(path, b"old" * 100),
        lambda: atomic.write_atomic(path, b"new" * 200),
        error=error,
        lasting=lasting,
    )
    assert done == ATOMIC


@every_error
@once_and_lasting
@pytest.mark.parametrize("before", ["nothing", "empty", "failure", "record"])
def test_outcome(tmp_path: Path, before: str, error: Callable[[], BaseException], lasting: bool):
    """Each verdict is the old or the new one; the pair is never reported twice or under another status."""
    plan, path = make_plan(), tmp_path / f"{PAIR.id}.json"
    contents = {
        "nothing": None,
        "empty": b"",
        "failure": outcome_file.dump(failure(PAIR)),
        "record": outcome_file.dump(record(PAIR, ["RRRW", "RRRW"])),
    }

    def prepare() -> None:
        path.unlink(missing_ok=True)
        if (content := contents[before]) is not None:
            path.write_bytes(content)

    def read_state() -> tuple[str, list[str]]:
        (status,) = read_statuses(plan, tmp_path, EventLog(tmp_path / "absent.log"))
        return status.state, [budget.verdicts for budget in status.record.budgets] if status.record else []

    def check(disk: FailingDisk) -> None:
        assert read_state() in [old, ("ok", VERDICTS)], disk.operations

    prepare()
    old = read_state()
    assert old == {"nothing": ("missing", []), "record": ("ok", ["RRRW", "RRRW"])}.get(before, ("failed", []))
    fail_each_operation(
        tmp_path,
        prepare,
        lambda: outcome_file.write(path, record(PAIR, VERDICTS)),
        check,
        error,
        lasting,
    )
    assert read_state() == ("ok", VERDICTS)


@once_and_lasting
def test_examples(tmp_path: Path, lasting: bool):
    """The examples are written before the outcome that names them: an outcome has its file, and never loses it."""
    plan, path, examples = make_plan(), tmp_path / f"{PAIR.id}.json", tmp_path / f"{PAIR.id}{EXAMPLES_SUFFIX}"
    images = tuple((PAIR.attack.budgets, name) for name in ("old", "new"))
    old, new = (examples_file.dump(name, (1, 1, 1), "Linf", budgets, [], []) for budgets, name in images)

    def write(data: bytes) -> None:
        atomic.write_atomic(examples, data)
        named = File(name=examples.name, sha256=digest.sha256_of_bytes(data))
        outcome_file.write(path, record(PAIR, VERDICTS, examples=named))

    def prepare() -> None:
        write(old)

    def check(disk: FailingDisk) -> None:
        (status,) = read_statuses(plan, tmp_path, EventLog(tmp_path / "absent.log"))
        assert status.record is not None, disk.operations
        assert status.record.examples is not None
        try:
            examples_file.read(examples, status.record.examples.sha256)
        except examples_file.DamagedExamplesError as error:
            assert "but its outcome names" in str(error)  # noqa: PT017 - between the two files
            assert examples.read_bytes() == new

    fail_each_operation(tmp_path, prepare, lambda: write(new), check, lasting=lasting)


@every_error
@once_and_lasting
@pytest.mark.parametrize("before", [None, 2])
def test_checkpoint(tmp_path: Path, before: int | None, error: Callable[[], BaseException], lasting: bool):
    """A job resumes from the old or from the new checkpoint; without a complete one it starts again."""
    path = tmp_path / JOB_CHECKPOINT

    def prepare() -> None:
        path.unlink(missing_ok=True)
        if before is not None:
            write_checkpoint(path, before)

    def read_steps() -> int | None:
        found = Checkpoint(path, FixedClock(), every=None).read(PAIR.id)
        if found is not None:
            assert found.state_bytes == bytes([found.steps_done]) * 1000
        return found.steps_done if found else None

    def check(disk: FailingDisk) -> None:
        assert read_steps() in (before, 5), disk.operations

    fail_each_operation(tmp_path, prepare, lambda: write_checkpoint(path, 5), check, error, lasting)
    assert read_steps() == 5


@every_error
@once_and_lasting
def test_plan(tmp_path: Path, error: Callable[[], BaseException], lasting: bool):
    """The plan of a second submission, with one more pair."""
    folder, old, new = RunFolder(tmp_path), make_plan(), make_plan("b")

    def check(disk: FailingDisk) -> None:
        assert Plan.read(folder) in (old, new), disk.operations

    fail_each_operation(tmp_path, lambda: old.write(folder), lambda: new.write(folder), check, error, lasting)
    assert Plan.read(folder) == new


@every_error
@once_and_lasting
def test_analysis(tmp_path: Path, error: Callable[[], BaseException], lasting: bool):
    """The report is written last: if it is new, each other file is new."""
    names = ("pairs.csv", "figures/alignment.pdf", "tables/accuracy.tex", "report.html")
    old = {name: f"old {name}".encode() for name in (*names[:3], "figures/coverage.pdf", names[3])}
    new = {name: f"new {name}".encode() for name in names}
    out = tmp_path / "analysis"

    def check(disk: FailingDisk) -> None:
        if (out / "report.html").read_bytes() == new["report.html"]:
            assert all((out / name).read_bytes() == data for name, data in new.items()), disk.operations

    fail_each_operation(
        tmp_path, lambda: write_analysis(out, old), lambda: write_analysis(out, new), check, error, lasting
    )
    assert not (out / "figures/coverage.pdf").exists()


@once_and_lasting
def test_first_analysis(tmp_path: Path, lasting: bool):
    """Without an earlier analysis, a report exists only beside all its files."""
    new = {"pairs.csv": b"pairs", "tables/accuracy.tex": b"table", "report.html": b"report"}
    out = tmp_path / "analysis"

    def prepare() -> None:
        for path in sorted(out.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()

    def check(disk: FailingDisk) -> None:
        if (out / "report.html").exists():
            assert all((out / name).read_bytes() == data for name, data in new.items()), disk.operations

    fail_each_operation(tmp_path, prepare, lambda: write_analysis(out, new), check, lasting=lasting)


def test_a_temporary_file_is_not_an_outcome(tmp_path: Path):
    """A killed job leaves its temporary file, which may even be complete."""
    other = pair(attack=attack(eps=["1/255"]))
    for name in (f".{PAIR.id}.json.0a1b2c3d", f".{PAIR.id}.json", f".{other.id}.json"):
        (tmp_path / name).write_bytes(outcome_file.dump(record(PAIR)))
    assert list_temporary_files(tmp_path)
    assert [status.state for status in read_statuses(make_plan(), tmp_path)] == ["missing"]
    outcome_file.write(tmp_path / f"{PAIR.id}.json", record(PAIR))
    (status,) = read_statuses(make_plan(), tmp_path)
    assert isinstance(status.record, Record)
