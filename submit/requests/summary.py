"""Summary of a run's resource requests, printed before anything is submitted."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alignsec.console import TerminalConsole
from alignsec.run.plan import Plan
from submit.requests.estimate import Basis
from submit.requests.requests import ResourceRequests

MAX_NAMES = 5
LOG_WIDTH = 200
DAY_SECONDS = 24 * 3600
BASES: Mapping[Basis, str] = {
    "this model": "from finished pairs of the same model",
    "other models": "from finished pairs of other models",
    "assumed speed": "from an assumed speed, because no pair has finished on such a device",
    "guessed network": "from the size of the weights alone, because the network's cost is unknown",
}


def print_requests(
    console: Console,
    plan: Plan,
    requested: Mapping[str, ResourceRequests],
    finished: Collection[str],
    *,
    table: bool,
) -> None:
    """Print the total cost of the pairs that will run, and on request a table of the models.

    Args:
        console: Where to print.
        plan: The run's plan.
        requested: The resource requests of each pair's job, by pair id.
        finished: Ids of pairs that already have results.
        table: Also print a row for each model.
    """
    by_model: dict[str, list[ResourceRequests]] = {}
    for pair in plan:
        if pair.id not in finished:
            by_model.setdefault(pair.model.name, []).append(requested[pair.id])
    if finished:
        console.print(f"{len(finished)} pairs already have results and are skipped", highlight=False)
    if not by_model:
        return
    if table:
        # In a log, names should not be folded to the width of a terminal.
        wide = console if console.is_terminal else TerminalConsole(file=console.file, width=LOG_WIDTH)
        wide.print(_table(by_model))
    for line in summarize_requests(by_model):
        console.print(line, markup=False, highlight=False)


def summarize_requests(by_model: Mapping[str, Sequence[ResourceRequests]]) -> list[str]:
    """Return lines with the total time and transfers of all pairs, and the basis of the estimates."""
    requests = [one for of_model in by_model.values() for one in of_model]
    lines = [_time(requests), *_audits(requests), _transfers(requests), *_examples(requests), _basis(requests)]
    guessed = [name for name, of_model in by_model.items() if of_model[0].estimate.basis == "guessed network"]
    if guessed:
        names = ", ".join(guessed[:MAX_NAMES]) + (", ..." if len(guessed) > MAX_NAMES else "")
        lines.append(f"networks of unknown cost: {names}")
    return lines


def _time(requests: Sequence[ResourceRequests]) -> str:
    device = "GPU" if any(one.estimate.gpu_memory_mb for one in requests) else "CPU"
    expected = sum(one.seconds for one in requests)
    most = sum(one.estimate.most_seconds for one in requests)
    bound = f", at most {format_duration(most)} if every image stays robust" if most > 1.01 * expected else ""
    longest = format_duration(max(one.seconds for one in requests))
    long_jobs = sum(one.seconds > DAY_SECONDS for one in requests)
    # Many pools limit the run time of a job.
    over_a_day = f" ({long_jobs} over a day; they resume from checkpoints)" if long_jobs else ""
    total = format_duration(expected)
    return f"about {total} of {device} time in total{bound}; the longest job about {longest}{over_a_day}"


def _audits(requests: Sequence[ResourceRequests]) -> Iterator[str]:
    """Yield a line that compares the audited attacks with the full ones, if there are any."""
    pairs = [(one.estimate, full) for one in requests if (full := one.estimate.in_full) is not None]
    if not pairs:
        return
    passes, full_passes = sum(one.passes for one, _ in pairs), sum(full.passes for _, full in pairs)
    seconds, full_seconds = sum(one.seconds for one, _ in pairs), sum(full.seconds for _, full in pairs)
    yield (
        f"audited attacks: about {passes:.3g} passes (forward + 2 x backward) and {format_duration(seconds)}; "
        f"in full: {full_passes:.3g} passes and {format_duration(full_seconds)}, "
        f"{full_passes / passes:.1f} times as many passes"
    )


def _transfers(requests: Sequence[ResourceRequests]) -> str:
    sizes = [one.estimate.transferred for one in requests]
    mean, largest, total = sum(sizes) / len(sizes), max(sizes), sum(sizes)
    return (
        f"input of each job: {format_size(mean)} on average, {format_size(largest)} at most; "
        f"{format_size(total)} in total"
    )


def _examples(requests: Sequence[ResourceRequests]) -> list[str]:
    """Return a line on the size of the kept adversarial examples, if any are kept."""
    sizes = [one.estimate.examples for one in requests]
    if not any(sizes):
        return []
    return [
        f"kept adversarial examples of each job: {format_size(max(sizes))} at most; "
        f"{format_size(sum(sizes))} in total at most"
    ]


def _basis(requests: Sequence[ResourceRequests]) -> str:
    bases = [one.estimate.basis for one in requests]
    parts = [f"{bases.count(basis)} {text}" for basis, text in BASES.items() if basis in bases]
    return f"run times estimated: {', '.join(parts)}"


def _table(by_model: Mapping[str, Sequence[ResourceRequests]]) -> Table:
    """Return a table with the largest requests and the total time of each model's pairs."""
    on_gpu = any(one.estimate.gpu_memory_mb for requests in by_model.values() for one in requests)
    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    for heading in ("memory", "disk", *(["GPU memory"] if on_gpu else []), "input", "time", "at most"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, requests in by_model.items():
        gpu = [f"{max(one.gpu_memory_mb for one in requests)} MB"] if on_gpu else []
        table.add_row(
            Text(name),
            f"{max(one.memory_mb for one in requests)} MB",
            f"{max(one.disk_mb for one in requests)} MB",
            *gpu,
            format_size(max(one.estimate.transferred for one in requests)),
            format_duration(sum(one.seconds for one in requests)),
            format_duration(sum(one.estimate.most_seconds for one in requests)),
        )
    return table


def format_duration(seconds: float) -> str:
    """Return a duration as text in seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.0f} h"


def format_size(count: float) -> str:
    """Return a number of bytes as text in kB, MB, GB or TB; 1 MB is 10^6 bytes."""
    for unit, least in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= least:
            return f"{count / least:.3g} {unit}"
    return f"{count / 1e3:.1f} kB"
