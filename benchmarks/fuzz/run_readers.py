"""Readers of what a run, its jobs and HTCondor write: plan, pairs, outcomes, checkpoints, logs and caches."""

import json
import tarfile
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

from pydantic import ValidationError

from aggregate.collect import reading, tally
from alignsec.errors import ConfigErrors
from alignsec.evaluation.evaluation import Evaluation
from alignsec.run import event_cache, outcome_file, status
from alignsec.run.event_cache import Histories
from alignsec.run.event_log import EventLog, find_last_job
from alignsec.run.event_reader import Position, parse_event, split_events
from alignsec.run.folder import RunFolder
from alignsec.run.outcome_file import OutcomeFile
from alignsec.run.plan import Plan
from alignsec.run.progress import Progress
from alignsec.spec.pair import Pair
from alignsec.spec.verdicts import Passes
from benchmarks.fuzz.containers import (
    edit_checkpoint,
    edit_outcome,
    edit_outcomes_archive,
    edit_tar_headers,
    edit_tar_members,
)
from benchmarks.fuzz.documents import json_documents
from benchmarks.fuzz.reader import Reader
from jobs.checkpoint import Checkpoint, CheckpointSaved
from jobs.provenance import Clock
from submit.digest_cache import DigestCache
from submit.images.store import CHOICES, PackStore
from submit.monitor.dagman_output import DagmanOutput
from submit.requests.measurements import MEASUREMENTS_FILE, read_measurements
from submit.weights import manifest
from submit.weights.manifest import Manifest
from tests import event_text, tiny
from tests.paths import CHECKOUT
from tests.submit.monitor import dagman_text

RUNS = sorted((CHECKOUT / "tests/fixtures").glob("run-*"))
OLD_RUN = RunFolder(CHECKOUT / "tests/fixtures/run-2026-11")
PAIR_ID = "pvt-robust--clean--09ddda379a"


@cache
def _old_plan() -> Plan:
    return Plan.read(OLD_RUN)


def _outcomes(_: Path) -> Sequence[bytes]:
    return [path.read_bytes() for run in RUNS for path in sorted((run / "outcomes").glob("*.json"))]


def _outcomes_archive(_: Path) -> Sequence[bytes]:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path in sorted(OLD_RUN.outcomes.glob("*.json"))[:3]:
            archive.add(path, path.name)
    return [out.getvalue()]


def _read_outcome(path: Path) -> None:
    """Read an outcome as status, analysis and the next submission do."""
    for parse in (outcome_file.parse, outcome_file.parse_summary):
        status.read_file_status(OutcomeFile(PAIR_ID, path), True, parse)
    reading.summarize_outcome(OutcomeFile(PAIR_ID, path), True)
    runs = path.parent / "runs"
    link = runs / "run/outcomes" / f"{PAIR_ID}.json"
    if not link.exists():
        link.parent.mkdir(parents=True)
        link.hardlink_to(path)
    (runs / MEASUREMENTS_FILE).unlink(missing_ok=True)
    read_measurements(runs)


def _read_archive(path: Path) -> None:
    tally.read_tally(_old_plan(), path, EventLog(path.parent / "none"))


def _logs(_: Path) -> Sequence[bytes]:
    events = [
        event_text.submitted(1, 0, "a"), event_text.executing(1, 5), event_text.evicted(1, 9),
        event_text.held(1, 10, 34, "Job has gone over memory limit"), event_text.released(1, 11),
        event_text.executing(1, 12), event_text.killed(1, 20, 9), event_text.submitted_to_25(2, 21, "b"),
        event_text.aborted(2, 25, "via condor_rm"), event_text.terminated(3, 40, 0),
    ]  # fmt: skip
    whole = "".join(events).encode()
    # The bindings wait a second at a cut event, so most inputs are short.
    return [whole, *(run / "study.dag.nodes.log" for run in RUNS)][:1] + [
        (run / "study.dag.nodes.log").read_bytes()[:6000] for run in RUNS
    ]


def _read_log(path: Path) -> None:
    log = EventLog(path)
    log.update()
    assert isinstance(log.warning, str)  # noqa: S101 - computed
    find_last_job(path)
    for node in log.nodes.values():
        assert isinstance(node.summary, str)  # noqa: S101 - computed


def _event_caches(folder: Path) -> Sequence[bytes]:
    path = folder / "cache"
    log = EventLog(RUNS[-1] / "study.dag.nodes.log")
    event_cache.write(path, Histories(Position(10, "a" * 64, 0), log.first, log.last, log.nodes))
    return [path.read_bytes()]


def _read_log_text(path: Path) -> None:
    for text in split_events(path.read_bytes())[0]:
        parse_event(text)


def _read_checkpoint(path: Path) -> None:
    Checkpoint(path, Clock(), None).read("a")


def _checkpoints(folder: Path) -> Sequence[bytes]:
    known = Evaluation(
        classes=5, clean_passes=Passes(forward=2), budgets=(), steps_done=1, steps=9, undecided=1, passes_left=3
    )
    checkpoint = Checkpoint(folder / "checkpoint", Clock(), every=0)
    for _ in range(2):
        try:
            checkpoint.save_if_due("a", known.with_lazy_state(lambda: bytes(range(256))))
        except CheckpointSaved:
            return [checkpoint.path.read_bytes()]
    raise AssertionError("no checkpoint was written")


def _read_progress(path: Path) -> None:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if found := Progress.read(line):
            str(found)


DAGMAN = "".join(
    [
        dagman_text.refused("a", dagman_text.PROJECT, 6), dagman_text.parse_error("b"),
        dagman_text.accepted("c"),
        f"{dagman_text.HEAD}PRE Script of node d failed with status 1\n",
    ]
).encode()  # fmt: skip
NODE_STATUS = (dagman_text.node_status("a", 6, 'ERROR: x \\"y\\"') + dagman_text.node_status("b", 5, "")).encode()
DIGESTS = {"schema_version": 1, "files": {"/a/b": [[1, 2, 3, 4], "a" * 64]}}
PACKS = {"schema_version": 1, "choices": {"b" * 64: {"name": "images-aaaaaaaaaaaa.tar", "sha256": "a" * 64}}}
MEASUREMENTS = {"schema_version": 1, "files": {"r/outcomes/a.json": [[1, 2], None]}}
STAGED = {
    "file": "weights-aaaaaaaaaaaa.safetensors", "sha256": "a" * 64, "bytes": 3, "rewritten": True,
    "fetched": "now",
    "published": {"url": "https://h/x", "revision": "", "name": "x.pth", "sha256": "b" * 64, "bytes": 4},
}  # fmt: skip
MANIFEST = {"schema_version": 1, "weights": {"hub:timm/resnet18": STAGED}}
_EXAMPLE_PAIR = tiny.pair().model_dump(mode="json")


def _json_reader(
    name: str, base: object, read: Callable[[Path], object], file: str, *allowed: type[BaseException]
) -> Reader:
    return Reader(
        name=name, read=read, corpus=lambda _: [json.dumps(base).encode()], allowed=allowed, file=file,
        documents=json_documents(base),
    )  # fmt: skip


READERS = (
    _json_reader(
        "plan",
        json.loads(OLD_RUN.plan.read_bytes()),
        lambda path: Plan.read(RunFolder(path.parent)),
        "plan.json",
        ConfigErrors,
    ),
    _json_reader(
        "pair",
        _EXAMPLE_PAIR,
        lambda path: Pair.model_validate_json(path.read_bytes()),
        "pair.json",
        ValidationError,
    ),
    Reader(name="outcome", read=_read_outcome, corpus=_outcomes, file="outcome.json", edits=(edit_outcome,)),
    Reader(
        name="outcomes-archive",
        read=_read_archive,
        corpus=_outcomes_archive,
        allowed=(ConfigErrors,),
        file="outcomes.tar",
        edits=(edit_tar_headers, edit_tar_members, edit_outcomes_archive),
    ),
    Reader(name="checkpoint", read=_read_checkpoint, corpus=_checkpoints, edits=(edit_checkpoint,)),
    Reader(name="event-log", read=_read_log, corpus=_logs, file="study.dag.nodes.log"),
    Reader(name="event-cache", read=event_cache.read, corpus=_event_caches),
    Reader(name="event-log-text", read=_read_log_text, corpus=_logs, file="study.dag.nodes.log"),
    Reader(
        name="dagman-output",
        read=lambda path: DagmanOutput(path, path.with_name("none")).update(),
        corpus=lambda _: [DAGMAN],
        file="study.dag.dagman.out",
    ),
    Reader(
        name="node-status",
        read=lambda path: DagmanOutput(path.with_name("none"), path).update(),
        corpus=lambda _: [NODE_STATUS],
        file="study.status",
    ),
    Reader(
        name="progress",
        read=_read_progress,
        corpus=lambda _: [b"progress: 3/20 images, 12.5 passes/s, at most 40 s left (step 3 of 8)\n" * 2],
    ),
    _json_reader("digest-cache", DIGESTS, DigestCache, ".digests.json"),
    _json_reader("pack-cache", PACKS, lambda path: PackStore(path.parent, DigestCache(None)).find([]), CHOICES),
    _json_reader(
        "measurement-cache", MEASUREMENTS, lambda path: read_measurements(path.parent), MEASUREMENTS_FILE
    ),
    _json_reader(
        "weights-manifest", MANIFEST, lambda path: Manifest.read(path.parent), manifest.NAME, ConfigErrors
    ),
)
