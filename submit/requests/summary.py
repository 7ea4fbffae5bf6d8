"""The summary of a run's requests: what it will take, told before anything is submitted."""

from collections.abc import Collection, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alignsec.run.plan import Plan
from submit.requests.requests import ResourceRequests

MOST_OF_A_KIND = 5
LOG_WIDTH = 200
LONG_SECONDS = 24 * 3600


def print_requests(
    console: Console, plan: Plan, asks: Mapping[str, ResourceRequests], done: Collection[str], *, table: bool
) -> None:
    """The totals of the pairs to run in a few lines, and with `table` a row for each model before them."""
    by_model: dict[str, list[ResourceRequests]] = {}
    for pair in plan:
        if pair.id not in done:
            by_model.setdefault(pair.model.name, []).append(asks[pair.id])
    if done:
        console.print(f"{len(done)} pairs have their record and are not run again", highlight=False)
    if not by_model:
        return
    if table:
        # A log has no width that names should be folded into.
        wide = console if console.is_terminal else Console(file=console.file, width=LOG_WIDTH)
        wide.print(_table(by_model))
    for line in totals(by_model):
        console.print(line, markup=False, highlight=False)


def totals(by_model: Mapping[str, Sequence[ResourceRequests]]) -> list[str]:
    """What all pairs take together, and what that rests on."""
    all_asks = [one for asks in by_model.values() for one in asks]
    on = "GPU" if any(one.estimate.gpu_memory_mb for one in all_asks) else "CPU"
    expected, most = (sum(getattr(one.estimate, name) for one in all_asks) for name in ("seconds", "most_seconds"))
    transferred = sum(one.estimate.transferred for one in all_asks)
    largest = max(one.estimate.transferred for one in all_asks)
    bound = f", at most {duration(most)} if every image stayed robust" if most > 1.01 * expected else ""
    lines = [
        f"about {duration(expected)} of {on} time in all{bound}; "
        f"the longest job about {duration(max(one.seconds for one in all_asks))}{_long(all_asks)}",
        f"each job is handed {size(transferred / len(all_asks))} on average, {size(largest)} at most; "
        f"all together {size(transferred)}",
    ]
    basis = [one.estimate.basis for one in all_asks]
    told = {
        "this model": "from finished pairs of the same model",
        "other models": "from finished pairs of other models",
        "assumed speed": "from an assumed speed, as no pair was finished on such a device",
        "guessed network": "guessed from the size of the weights alone",
    }
    parts = [f"{basis.count(kind)} {words}" for kind, words in told.items() if kind in basis]
    lines.append(f"times of pairs: {', '.join(parts)}")
    guessed = [name for name, asks in by_model.items() if asks[0].estimate.basis == "guessed network"]
    if guessed:
        names = ", ".join(guessed[:MOST_OF_A_KIND]) + (", ..." if len(guessed) > MOST_OF_A_KIND else "")
        lines.append(f"networks that nobody measured: {names}")
    return lines


def _long(asks: Sequence[ResourceRequests]) -> str:
    """How many jobs outlast a day, which many pools' limits on running times are about."""
    count = sum(one.seconds > LONG_SECONDS for one in asks)
    return f" ({count} over a day; they go on from checkpoints)" if count else ""


def _table(by_model: Mapping[str, Sequence[ResourceRequests]]) -> Table:
    """A row a model: the most that any of its pairs asks for, and the time of all of them."""
    on_gpu = any(one.estimate.gpu_memory_mb for asks in by_model.values() for one in asks)
    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    for heading in ("memory", "disk", *(["GPU memory"] if on_gpu else []), "handed", "time", "at most"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, asks in by_model.items():
        gpu = [f"{max(one.gpu_memory_mb for one in asks)} MB"] if on_gpu else []
        table.add_row(
            Text(name),
            f"{max(one.memory_mb for one in asks)} MB",
            f"{max(one.disk_mb for one in asks)} MB",
            *gpu,
            size(max(one.estimate.transferred for one in asks)),
            duration(sum(one.seconds for one in asks)),
            duration(sum(one.estimate.most_seconds for one in asks)),
        )
    return table


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.0f} h"


def size(count: float) -> str:
    """Bytes in the unit that suits them; a MB is 10^6 bytes."""
    for unit, least in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= least:
            return f"{count / least:.3g} {unit}"
    return f"{count / 1e3:.1f} kB"
