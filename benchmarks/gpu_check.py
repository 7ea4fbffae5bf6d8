"""Check on a GPU everything that was written for GPUs: `python -m benchmarks.gpu_check`, or `make gpu-check`.

It writes benchmarks/results/gpu.json and prints one table. Without a GPU every row says "not yet measured". Run it
in a job on a GPU node, not on an access point.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.table import Table

from alignsec import evaluator
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes.memory import measure_memory
from alignsec.evaluation.passes.precision import describe_precision
from alignsec.evaluation.task import Task
from alignsec.spec.attack import Attack
from benchmarks import engine
from benchmarks.cases import CASES
from benchmarks.overhead import measure_overhead

RESULTS = Path(__file__).parent / "results" / "gpu.json"
MIN_SPEEDUP = 8.0
"""Target: the reference takes at least this many times as long on photographs that all break."""
MAX_OVERHEAD = 1.05
"""Target: an evaluation takes at most this many times the time of its passes."""
MAX_BACKWARD_FACTOR = 1.2
"""Peak memory of a gradient pass divided by that of a forward pass that keeps its graph, as memory.py assumes."""
IMAGES, QUERIES = 64, 300
NOT_MEASURED: Literal["not yet measured"] = "not yet measured"
State = Literal["passed", "failed", "not yet measured"]


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes:
        name: What was checked.
        target: What is expected.
        measured: What was measured, or the error.
        state: Whether the measurement meets the target.
    """

    name: str
    target: str
    measured: str = ""
    state: State = NOT_MEASURED


Measure = Callable[[Task], tuple[bool, str]]
"""Measures on a device; returns whether the target is met, and the measurement as text."""


@dataclass(frozen=True)
class Check:
    """One check: its name, its target, and the function that measures it."""

    name: str
    target: str
    measure: Measure


def run_checks(checks: Sequence[Check], task: Task | None) -> list[CheckResult]:
    """Run the checks one after the other; an error of one is its result and does not end the others.

    Args:
        checks: The checks.
        task: A small task on the GPU; None without a GPU.
    """
    results = []
    for check in checks:
        if task is None:
            results.append(CheckResult(check.name, check.target))
            continue
        try:
            met, measured = check.measure(task)
        except (RuntimeError, ValueError, AssertionError, OSError, ImportError) as error:
            met, measured = False, f"{type(error).__name__}: {' '.join(str(error).split())}"
        results.append(CheckResult(check.name, check.target, measured, "passed" if met else "failed"))
    return results


def evaluate(task: Task, **changes: object) -> Evaluation:
    """Return the complete evaluation of a task whose attack has other settings."""
    attack = Attack.model_validate({**task.attack.model_dump(mode="json"), **changes})
    changed = Task(task.classifier, task.pixels, task.labels, attack, task.seed)
    return list(evaluator.evaluate(changed, None, 3600.0, None))[-1]


def check_search(task: Task, **changes: object) -> tuple[bool, str]:
    """Return whether another search breaks no image that float32 does not break, and how many it misses."""
    exact, other = evaluate(task), evaluate(task, **changes)
    pairs = [
        pair
        for one, two in zip(exact.budgets, other.budgets, strict=True)
        for pair in zip(one.verdicts, two.verdicts, strict=True)
    ]
    missed = sum(two == "R" and one != "R" for one, two in pairs)
    added = sum(one == "R" and two != "R" for one, two in pairs)
    notes = "; ".join(other.notes)
    attack = Attack.model_validate({**task.attack.model_dump(mode="json"), **changes})
    used = describe_precision(attack.search, task.pixels[:1].device, attack.compile)
    ignored = "does not support" in used or "without torch.compile" in notes
    return not added and not ignored, f"{missed} missed and {added} additional of {len(pairs)}; {used}; {notes}"


def check_allocator(task: Task) -> tuple[bool, str]:
    """Compare the measured memory of a forward pass with the peak of a pass with gradient."""
    images = task.pixels[:16].clone().requires_grad_()
    with measure_memory(task.classifier, images.device) as forward:
        logits = task.classifier(images)
    del logits
    with measure_memory(task.classifier, images.device) as backward:
        torch.autograd.grad(task.classifier(images).sum(), images)
    factor = backward.bytes / max(forward.bytes, 1)
    return 0 < factor <= MAX_BACKWARD_FACTOR, f"{factor:.2f}"


def check_out_of_memory(task: Task) -> tuple[bool, str]:
    """Evaluate with a network that has no memory for the whole batch, and compare the verdicts."""
    whole = evaluate(task)
    halving = _HalvingNetwork(max(1, min(task.attack.batch, len(task.labels)) // 2))
    handle = task.classifier.register_forward_pre_hook(halving)
    try:
        small = evaluate(task)
    finally:
        handle.remove()
    same = [one.verdicts for one in whole.budgets] == [two.verdicts for two in small.budgets]
    return same and halving.failures > 0, f"{halving.failures} failures, verdicts {'equal' if same else 'differ'}"


class _HalvingNetwork:
    """A hook that runs out of the GPU's memory if a batch is too large: it requests more than the GPU has."""

    def __init__(self, room: int) -> None:
        self.room, self.failures = room, 0

    def __call__(self, module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        images = inputs[0]
        if len(images) <= self.room:
            return
        self.failures += 1
        torch.empty(2**50, dtype=torch.uint8, device=images.device)


def check_speedup(_: Task) -> tuple[bool, str]:
    """Compare the time with pyautoattack's, on photographs that all break."""
    rows = list(engine.compare_photographs(engine.PHOTOGRAPHS, 5000))
    if not rows:
        return False, "the photographs and weights of the benchmark are missing"
    ratio = float(rows[0]["seconds_ratio"])
    return ratio >= MIN_SPEEDUP, f"{ratio:.2f} times"


def check_overhead(task: Task) -> tuple[bool, str]:
    """Compare the time of an evaluation with that of its passes."""
    times = measure_overhead(task, task.attack.batch, 5)
    ratio = times.engine / times.bare
    return ratio <= MAX_OVERHEAD, f"{ratio:.3f} times"


CHECKS = (
    Check("TF32 search", "no additional broken image", partial(check_search, search="tf32")),
    Check("bfloat16 search", "no additional broken image", partial(check_search, search="bf16")),
    Check("torch.compile with CUDA graphs", "no additional broken image", partial(check_search, compile=True)),
    Check("memory of the allocator", f"gradient pass at most {MAX_BACKWARD_FACTOR} times", check_allocator),
    Check("out of memory", "smaller batches, equal verdicts", check_out_of_memory),
    Check("time of the reference", f"at least {MIN_SPEEDUP:g} times the engine's", check_speedup),
    Check("time of an evaluation", f"at most {MAX_OVERHEAD} times that of its passes", check_overhead),
)


def write_results(path: Path, device: str, results: Sequence[CheckResult]) -> None:
    """Write the results as JSON."""
    rows = [asdict(result) for result in results]
    content = {"device": device, "torch": torch.__version__, "cuda": torch.version.cuda, "checks": rows}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Run the checks, write the results and print the table.

    Returns:
        1 if a check failed, otherwise 0.
    """
    has_gpu = torch.cuda.is_available()
    task = CASES[0].task(IMAGES, QUERIES) if has_gpu else None
    device = torch.cuda.get_device_name() if has_gpu else f"no GPU: {NOT_MEASURED}"
    results = run_checks(CHECKS, task)
    write_results(RESULTS, device, results)
    table = Table("check", "target", "measured", "state", title=device, title_justify="left")
    for result in results:
        table.add_row(result.name, result.target, result.measured, result.state)
    Console(soft_wrap=True).print(table)
    return int(any(result.state == "failed" for result in results))


if __name__ == "__main__":
    sys.exit(main())
