"""Compare the engine with other implementations of AutoAttack, and write benchmarks/results/engine.json.

    python -m benchmarks.engine --images 400

With `--only`, a part runs, and its rows are written only if `--results` names a file. Ratios are the peer's value
over the engine's: 2 means that the peer takes twice as much. `noise` gives the random numbers of the engine:
"reference" are those of the reference, with which all verdicts must be equal; "own" is the default. Everything
runs on a GPU if there is one; otherwise seconds are processor time on one thread.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from alignsec.evaluation.task import Task
from alignsec.spec.attack import Attack
from benchmarks import chart, peers, photographs
from benchmarks.cases import CASES, GRADIENT_EPS, Case, gradient_attacks
from benchmarks.clock import DEVICE
from benchmarks.overhead import measure_overhead

RESULTS = Path(__file__).parent / "results" / "engine.json"
COLUMNS = (
    *("case", "peer", "noise", "images", "robust", "forward_ratio", "backward_ratio", "seconds_ratio"),
    *("disagreements", "overhead", "share_of_ceiling"),
)
PHOTOGRAPHS = 40
AT_ONCE = 4 if DEVICE.type == "cpu" else PHOTOGRAPHS
"""Batch size. On a CPU the reference takes 5 s per photograph, and 13 s if it gets all of them at once."""
Row = dict[str, Any]


def compare(case: Case, images: int, queries: int) -> Iterator[Row]:
    """Yield one row per peer and source of noise."""
    task = case.task(images, queries)
    implementations = (peers.engine_with_replay, peers.pyautoattack, *([peers.run_engine] if case.own else []))
    replayed, reference, *owns = peers.measure_all(task, implementations)
    yield _row(case.title, "pyautoattack", "reference", replayed, reference)
    for own in owns:
        yield _row(case.title, "pyautoattack", "own", own, reference)
        if task.attack.norm != "L1" and peers.has_torchattacks():
            for name, steps in (("torchattacks as installed", None), ("torchattacks, 100 steps", 100)):
                (other,) = peers.measure_all(task, (partial(peers.torchattacks, steps=steps),))
                yield _row(case.title, name, "own", own, other)


def compare_gradients(eps: str, images: int) -> Iterator[Row]:
    """Yield rows for APGD-CE and APGD-T alone."""
    case, (first, then) = f"undefended at 28 pixels, APGD-CE and APGD-T, Linf {eps}", gradient_attacks(eps, images)
    reference = peers.run_in_sequence(peers.pyautoattack, first, then)
    for noise, implementation in (("reference", peers.engine_with_replay), ("own", peers.run_engine)):
        yield _row(case, "pyautoattack", noise, peers.run_in_sequence(implementation, first, then), reference)


def compare_photographs(images: int, queries: int) -> Iterator[Row]:
    """Yield the row of MobileNetV2 on photographs at 1/255, or none if the photographs are missing."""
    if not photographs.has_photographs():
        sys.stdout.write(f"omitted: {photographs.SHARED} has no photographs and weights\n")
        return
    classifier, pixels, labels = photographs.load_mobilenet(images)
    fields = {"method": "autoattack", "norm": "Linf", "eps": ["1/255"], "queries": queries}
    attack = Attack.model_validate({**fields, "batch": min(images, AT_ONCE)})
    task = Task(classifier, pixels.to(DEVICE), labels.to(DEVICE), attack, 0)
    replayed, reference = peers.engine_with_replay(task), peers.pyautoattack(task)
    yield _row("MobileNetV2 on photographs, Linf 1/255", "pyautoattack", "reference", replayed, reference)


def _row(case: str, peer: str, noise: str, own: peers.Answer, other: peers.Answer) -> Row:
    return {
        "case": case,
        "peer": peer,
        "noise": noise,
        "images": len(own.verdicts[0]),
        "robust": own.robust,
        "peer_robust": other.robust,
        "disagreements": own.count_disagreements(other),
        "forward_ratio": round(other.forward / own.forward, 2),
        "backward_ratio": round(other.backward / own.backward, 2),
        "seconds_ratio": round(other.seconds / own.seconds, 2),
        "seconds": round(own.seconds, 2),
    }


def bare_passes(name: str, title: str, norm: str, images: int, **short: int) -> Iterator[Row]:
    """Yield the row of an untrained network on robust images: the time that the engine adds to its passes."""
    method = "autoattack" if "queries" in short else "apgd-ce"
    attack = Attack.model_validate({"method": method, "norm": norm, "eps": ["0.0000001"], **short})
    classifier, pixels, labels = photographs.create_untrained(name, images)
    took = measure_overhead(Task(classifier, pixels, labels, attack, 0), slots=images, repeats=3)
    yield {
        "case": f"{title} at 224 pixels, {norm}, {method}, batches of up to {images}",
        "peer": "bare passes",
        "images": images,
        "robust": [images],
        "overhead": round(took.engine / took.bare, 3),
        "share_of_ceiling": round(took.ceiling / took.engine, 3),
        "seconds": round(took.engine, 2),
    }


def list_parts(images: int, queries: int) -> Iterator[tuple[str, Callable[[], Iterator[Row]]]]:
    """Yield the name of each part and the function that runs it."""
    for norm in ("Linf", "L2", "L1"):
        short = {"steps": 10, "targets": 1, "restarts": 1, "queries": 40}
        yield f"ResNet-18, {norm}", partial(bare_passes, "resnet18", "ResNet-18", norm, 4, **short)
    for name, title in (("resnet50", "ResNet-50"), ("vit_base_patch16_224", "ViT-B/16")):
        slots = 2 if DEVICE.type == "cpu" else 64
        yield title, partial(bare_passes, name, title, "Linf", slots, steps=10)
    yield "MobileNetV2", partial(compare_photographs, min(images, PHOTOGRAPHS), queries)
    for eps in GRADIENT_EPS:
        yield f"28 pixels, {eps}", partial(compare_gradients, eps, images)
    for case in CASES:
        yield case.title, partial(compare, case, images, queries)


def describe_machine() -> str:
    """Return the description of the machine."""
    if DEVICE.type == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    model = platform.machine()
    if (cpuinfo := Path("/proc/cpuinfo")).is_file():
        names = [
            line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("model name")
        ]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{model}, 1 thread, torch {torch.__version__}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts and write the rows. Exits with 2 if a part would overwrite the rows of a complete run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--images", type=int, default=400, help="digits per case, at most 797")
    parser.add_argument("--queries", type=int, default=5000, help="queries of Square; the standard is 5000")
    parser.add_argument("--only", default="", metavar="TEXT", help="run only parts whose name contains TEXT")
    parser.add_argument(
        "--results", type=Path, help="file for the rows; the chart is drawn only for the default file"
    )
    options = parser.parse_args(arguments)
    results = options.results or (None if options.only else RESULTS)
    whole = results is not None and results.resolve() == RESULTS.resolve()
    if options.only and whole:
        parser.error(f"--only runs a part, and {RESULTS} must have all rows: give another file with --results")
    torch.set_num_threads(1)
    if not peers.has_torchattacks():
        sys.stdout.write("omitted: torchattacks is not installed\n")
    machine, kept = describe_machine(), list[Row]()
    for name, rows in list_parts(options.images, options.queries):
        for row in rows() if options.only in name else ():
            kept.append({**row, "machine": machine, "queries": options.queries})
            # Written after each row, because a later one can fail.
            if results is not None:
                results.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            sys.stdout.write(f"{json.dumps(row)}\n")
            sys.stdout.flush()
    if whole:
        chart.draw(kept)
    table = Table(*COLUMNS, title=machine)
    for row in kept:
        table.add_row(*(str(row.get(name, "")) for name in COLUMNS))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


if __name__ == "__main__":
    main()
