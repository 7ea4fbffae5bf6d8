"""Status of the pairs of a run, derived from its outcome files."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec import digest
from alignsec.run import outcome_file, status
from alignsec.run.event_log import EventLog
from alignsec.run.outcome import Failure, Record
from alignsec.run.plan import Plan, PlannedPair
from alignsec.run.status import PairStatus
from alignsec.spec.pair import File, Pair
from tests import event_text
from tests.tiny import failure, pair, record

OK, FAILED, MISSING, TRUNCATED, EDITED, EMPTY, OTHER = PAIRS = [pair(name=f"m{n}") for n in range(7)]
GONE = pair(name="gone")

ReadStatuses = Callable[[dict[str, bytes]], dict[str, PairStatus]]


def make_plan(pairs: list[Pair]) -> Plan:
    return Plan(
        name="r",
        title="r",
        seed=0,
        study_sha256="1" * 64,
        code_sha256="1" * 64,
        written="now",
        scores=None,
        images=File(name="i", sha256="1" * 64),
        image_count=4,
        planned=tuple(PlannedPair(pair=one, inputs=()) for one in pairs),
    )


def files() -> dict[str, bytes]:
    """Return one outcome file of every kind, by file name."""
    whole = outcome_file.dump(record(TRUNCATED))
    return {
        f"{OK.id}.json": outcome_file.dump(record(OK)),
        f"{FAILED.id}.json": outcome_file.dump(failure(FAILED, "ImageError: 3.png cannot be decoded")),
        f"{TRUNCATED.id}.json": whole[: len(whole) // 2],
        f"{EDITED.id}.json": outcome_file.dump(record(EDITED)).replace(b'"RRcW"', b'"RRRW"'),
        f"{EMPTY.id}.json": b"",
        f"{OTHER.id}.json": outcome_file.dump(record(OK)),
        f"{GONE.id}.json": outcome_file.dump(record(GONE)),
        f".{OK.id}.json.abc123": b"half-writ",
        ".hidden.json": b"{",
        "notes.txt": b"mine",
    }


@pytest.fixture(params=["folder", "tar", "tar with a folder"])
def read_statuses(request: pytest.FixtureRequest, tmp_path: Path) -> ReadStatuses:
    """Read the status of all pairs, from a folder of outcome files or from an archive."""

    def write_folder(contents: dict[str, bytes]) -> Path:
        for name, data in contents.items():
            (tmp_path / name).write_bytes(data)
        return tmp_path

    def write_tar(contents: dict[str, bytes]) -> Path:
        inside = "outcomes/" if request.param.endswith("folder") else ""
        with tarfile.open(tmp_path / "outcomes.tar", "w") as archive:
            if inside:
                folder = tarfile.TarInfo("outcomes")
                folder.type = tarfile.DIRTYPE
                archive.addfile(folder)
            for name, data in contents.items():
                member = tarfile.TarInfo(inside + name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return tmp_path / "outcomes.tar"

    write = write_folder if request.param == "folder" else write_tar
    return lambda contents: {one.id: one for one in status.read_statuses(make_plan(PAIRS), write(contents))}


def test_every_pair_has_one_state(read_statuses: ReadStatuses):
    found = read_statuses(files())
    states = {one.model.name: found[one.id].state for one in (*PAIRS, GONE)}
    assert states == {
        "m0": "ok",
        "m1": "failed",
        "m2": "missing",
        "m3": "failed",
        "m4": "failed",
        "m5": "failed",
        "m6": "failed",
        "gone": "stale",
    }
    assert len(found) == len(PAIRS) + 1, "hidden, partly written and other files are not outcomes"


def test_reasons_of_pairs_that_are_not_ok(read_statuses: ReadStatuses):
    found = read_statuses(files())
    assert found[FAILED.id].reason == "ImageError: 3.png cannot be decoded"
    assert found[MISSING.id].reason == "no outcome file"
    assert "truncated" in found[TRUNCATED.id].reason
    assert "changed after it was written" in found[EDITED.id].reason
    assert "the job died before it could write a reason" in found[EMPTY.id].reason
    assert found[OTHER.id].reason.endswith(f"another pair, {OK.id}")
    assert "no longer contains this pair" in found[GONE.id].reason


def test_only_ok_pairs_have_a_record_for_the_table(read_statuses: ReadStatuses):
    """The content of damaged files is never used."""
    found = read_statuses(files())
    with_record = {one.id for one in found.values() if one.record is not None and one.state != "stale"}
    assert with_record == {OK.id}
    assert isinstance(found[OK.id].record, Record)
    assert isinstance(found[FAILED.id].failure, Failure)
    assert found[OK.id].outcome_sha256 == digest.sha256_of_bytes(files()[f"{OK.id}.json"])


def test_missing_pairs_come_last_in_the_order_of_the_plan(read_statuses: ReadStatuses):
    assert [one for one in read_statuses({}) if one] == [one.id for one in PAIRS]


def test_a_missing_folder_has_no_outcomes(tmp_path: Path):
    found = list(status.read_statuses(make_plan(PAIRS), tmp_path / "none"))
    assert {one.state for one in found} == {"missing"}


def test_the_status_of_one_pair(tmp_path: Path):
    path = tmp_path / "o.json"
    assert status.read_pair_status(OK, path).state == "missing"
    outcome_file.write(path, record(OK))
    assert status.read_pair_status(OK, path).state == "ok"
    assert status.read_pair_status(FAILED, path).state == "failed"


@pytest.mark.parametrize(("code", "how"), [(-9, "was killed by signal 9"), (137, "ended with exit code 137")])
def test_a_job_that_left_an_empty_outcome_is_explained_by_the_event_log(tmp_path: Path, code: int, how: str):
    """A job that died could not write a reason; HTCondor's log has signal, exit code and host."""
    (tmp_path / "outcomes").mkdir()
    (tmp_path / "outcomes" / f"{EMPTY.id}.json").touch()
    ended = event_text.killed(1, 9, -code) if code < 0 else event_text.terminated(1, 9, code)
    log = event_text.write(
        tmp_path / "log", event_text.submitted(1, 0, EMPTY.id), event_text.executing(1, 3, "slot1@gpu7"), ended
    )
    (found,) = status.read_statuses(make_plan([EMPTY]), tmp_path / "outcomes", EventLog(log))
    assert (found.state, found.reason) == ("failed", f"its job {how} on slot1@gpu7 and left no outcome")
