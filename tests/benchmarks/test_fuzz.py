"""Fuzzing: every reader gets a few inputs of a fixed seed, and each kind of finding is found."""

import time
from pathlib import Path
from random import Random

import pytest

from benchmarks.fuzz import __main__ as command
from benchmarks.fuzz import campaign, worker
from benchmarks.fuzz.generation import Generator
from benchmarks.fuzz.reader import Reader
from benchmarks.fuzz.readers import READERS
from benchmarks.fuzz.worker import Task, run_worker

EXECUTIONS = 30


def _fuzz(reader: Reader, tmp_path: Path, count: int = EXECUTIONS) -> campaign.ReaderResult:
    return campaign.fuzz_reader(reader, seed=20261125, seconds=600, count=count, found=tmp_path / "found")


@pytest.mark.parametrize("name", READERS)
def test_no_reader_raises_what_its_callers_do_not_expect(name: str, tmp_path: Path):
    result = _fuzz(READERS[name], tmp_path)
    assert [str(finding) for finding in result.findings] == []
    assert result.executions == EXECUTIONS


def _read(path: Path) -> None:
    """Show each kind of finding, depending on the first byte."""
    match path.read_bytes()[:1]:
        case b"e":
            raise KeyError("unexpected")
        case b"a":
            raise ValueError("allowed")
        case b"h":
            10 ** (10**9)
        case b"w":
            time.sleep(3600)
        case b"m":
            bytearray(2**31)


def _run(text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> worker.Stop:
    monkeypatch.setattr(worker, "CPU_SECONDS", 0.2)
    monkeypatch.setattr(worker, "IDLE_SECONDS", 3.0)
    monkeypatch.setattr(Generator, "generate", lambda self, random: text)
    reader = Reader(name="example", read=_read, corpus=lambda _: [b"x"], allowed=(ValueError,))
    (tmp_path / "work").mkdir()
    return run_worker(Task(reader, [b"x"], tmp_path / "work", 0, 0, 3, time.monotonic() + 600))


@pytest.mark.parametrize(
    ("text", "reason", "trace"),
    [
        (b"e", "an exception that is not allowed", "KeyError: 'unexpected'"),
        (b"h", "more than 0 s of processor time", ""),
        (b"w", "no end after 3 s", ""),
        (b"m", "an exception that is not allowed", "MemoryError"),
    ],
)
def test_each_kind_of_finding_is_found(
    text: bytes, reason: str, trace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stop = _run(text, tmp_path, monkeypatch)
    assert (stop.executed, stop.reason) == (0, reason)
    assert trace in stop.trace


def test_an_allowed_exception_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert _run(b"a", tmp_path, monkeypatch) == worker.Stop(3, 0, "", "")


def test_a_finding_is_kept_once_and_can_be_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    reader = Reader(name="study", read=_read, corpus=lambda _: [b"e"])
    monkeypatch.setitem(READERS, "study", reader)
    monkeypatch.setattr(Generator, "generate", lambda self, random: b"e%d" % random.randrange(9))
    result = _fuzz(reader, tmp_path, count=5)
    (finding,) = result.findings
    assert (finding.reason, result.executions) == ("KeyError: 'unexpected'", 5)
    with pytest.raises(KeyError):
        command.main(["--replay", str(finding.file)])


def test_inputs_depend_on_the_seed_alone(tmp_path: Path):
    reader = READERS["study"]
    one, other = (Generator(reader, reader.corpus(tmp_path)) for _ in range(2))
    first, second = ([Random(number) for number in range(20)] for _ in range(2))  # noqa: S311 - no secret
    other.generate(second.pop())
    assert [one.generate(each) for each in first[:-1]] == [other.generate(each) for each in second]
