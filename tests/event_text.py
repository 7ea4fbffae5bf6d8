"""Text of HTCondor's event logs, in the form of its manual and of its daemons' logs."""

from pathlib import Path

HOST = "<127.0.0.1:9618?addrs=127.0.0.1-9618>"


def event(number: int, job: int, second: int, headline: str, *more: str) -> str:
    """Return one event of job `job`.0 at `second` seconds after noon UTC."""
    when = f"2026-01-01 12:{second // 60:02}:{second % 60:02}"
    return "\n".join([f"{number:03} ({job:03}.000.000) {when} {headline}", *more, "...", ""])


def submitted(job: int, second: int, node: str) -> str:
    """Return the submission of a job as a node of a DAG."""
    return event(0, job, second, f"Job submitted from host: {HOST}", f"    DAG Node: {node}")


def submitted_to_25(job: int, second: int, node: str) -> str:
    """Return the submission of a job in the form of HTCondor 25."""
    notes = f'    [ DAGNodeName = "{node}"; JobBatchName = "study.dag+1" ]'
    return event(0, job, second, f"Job submitted from host: {HOST}", notes)


def executing(job: int, second: int, slot: str = "slot1_1@node") -> str:
    """Return the start of a job."""
    return event(1, job, second, f"Job executing on host: {HOST}", f"\tSlotName: {slot}")


def evicted(job: int, second: int) -> str:
    """Return the eviction of a job."""
    usage = "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run {} Usage"
    more = [usage.format("Remote"), usage.format("Local")]
    more += ["\t0  -  Run Bytes Sent By Job", "\t0  -  Run Bytes Received By Job"]
    return event(4, job, second, "Job was evicted.", "\t(0) CPU times", *more)


def terminated(job: int, second: int, code: int) -> str:
    """Return the end of a job with an exit code."""
    usage = "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  {} {} Usage"
    more = [usage.format(span, side) for span in ("Run", "Total") for side in ("Remote", "Local")]
    more += [
        f"\t0  -  {span} Bytes {direction} By Job"
        for span in ("Run", "Total")
        for direction in ("Sent", "Received")
    ]
    return event(5, job, second, "Job terminated.", f"\t(1) Normal termination (return value {code})", *more)


def killed(job: int, second: int, signal: int) -> str:
    """Return the end of a job by a signal."""
    normal = "\t(1) Normal termination (return value 0)"
    abnormal = f"\t(0) Abnormal termination (signal {signal})\n\t(0) No core file"
    return terminated(job, second, 0).replace(normal, abnormal)


def held(job: int, second: int, code: int, reason: str) -> str:
    """Return the hold of a job."""
    return event(12, job, second, "Job was held.", f"\t{reason}", f"\tCode {code} Subcode 0")


def released(job: int, second: int) -> str:
    """Return the release of a held job."""
    return event(13, job, second, "Job was released.", "\tvia condor_release")


def aborted(job: int, second: int, reason: str) -> str:
    """Return the removal of a job."""
    return event(9, job, second, "Job was aborted.", f"\t{reason}")


def write(path: Path, *events: str) -> Path:
    """Write events to a log; return its path."""
    path.write_text("".join(events))
    return path
