"""The engine against other implementations of AutoAttack, in one run. Writes benchmarks/results/engine.json,
but for a part of the run (`--only`), which is shown and only written where `--results` says.

    python -m benchmarks.engine --images 400

Ratios are peer over ours: 2 means that the peer takes twice as much. `noise` says which random numbers ours drew:
"reference" replays the reference's, where every image must have the reference's verdict; "own" is the default.
Where a GPU is at hand everything runs there; seconds are the processor's on one thread otherwise.
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
from benchmarks.overhead import spent

RESULTS = Path(__file__).parent / "results" / "engine.json"
COLUMNS = (
    *("case", "peer", "noise", "images", "robust", "forward_ratio", "backward_ratio", "seconds_ratio"),
    *("disagreements", "overhead", "share_of_ceiling"),
)
PHOTOGRAPHS = 40
AT_ONCE = 4 if DEVICE.type == "cpu" else PHOTOGRAPHS
"""The reference takes a CPU 5 seconds for each; 13 where it is given all of them at once."""
Row = dict[str, Any]


def compare(case: Case, images: int, queries: int) -> Iterator[Row]:
    """One row a peer and source of noise."""
    task = case.task(images, queries)
    asked = (peers.replayed, peers.pyautoattack, *([peers.ours] if case.own else []))
    replayed, reference, *owns = peers.measured(task, asked)
    yield _row(case.title, "pyautoattack", "reference", replayed, reference)
    for own in owns:
        yield _row(case.title, "pyautoattack", "own", own, reference)
        if task.attack.norm != "L1" and peers.has_torchattacks():
            for name, steps in (("torchattacks as installed", None), ("torchattacks, 100 steps", 100)):
                (other,) = peers.measured(task, (partial(peers.torchattacks, steps=steps),))
                yield _row(case.title, name, "own", own, other)


def compare_gradients(eps: str, images: int) -> Iterator[Row]:
    """APGD-CE and APGD-T alone, as the engine's promise was first measured."""
    case, (first, then) = f"undefended at 28 pixels, APGD-CE and APGD-T, Linf {eps}", gradient_attacks(eps, images)
    reference = peers.in_turn(peers.pyautoattack, first, then)
    for noise, implementation in (("reference", peers.replayed), ("own", peers.ours)):
        yield _row(case, "pyautoattack", noise, peers.in_turn(implementation, first, then), reference)


def compare_photographs(images: int, queries: int) -> Iterator[Row]:
    """MobileNetV2 with ImageNet weights on photographs at 1/255, the whole attack; nothing where they are not."""
    if not photographs.has_photographs():
        sys.stdout.write(f"left out: {photographs.SHARED} has no photographs and weights\n")
        return
    classifier, pixels, labels = photographs.mobilenet(images)
    asked = {"method": "autoattack", "norm": "Linf", "eps": ["1/255"], "queries": queries}
    attack = Attack.model_validate({**asked, "batch": min(images, AT_ONCE)})
    task = Task(classifier, pixels.to(DEVICE), labels.to(DEVICE), attack, 0)
    replayed, reference = peers.replayed(task), peers.pyautoattack(task)
    yield _row("MobileNetV2 on photographs, Linf 1/255", "pyautoattack", "reference", replayed, reference)


def _row(case: str, peer: str, noise: str, ours: peers.Answer, theirs: peers.Answer) -> Row:
    return {
        "case": case,
        "peer": peer,
        "noise": noise,
        "images": len(ours.verdicts[0]),
        "robust": ours.robust,
        "peer_robust": theirs.robust,
        "disagreements": ours.disagreements(theirs),
        "forward_ratio": round(theirs.forward / ours.forward, 2),
        "backward_ratio": round(theirs.backward / ours.backward, 2),
        "seconds_ratio": round(theirs.seconds / ours.seconds, 2),
        "seconds": round(ours.seconds, 2),
    }


def bare_passes(name: str, title: str, norm: str, images: int, **short: int) -> Iterator[Row]:
    """An untrained network on images that stay robust: what the engine adds to its passes."""
    method = "autoattack" if "queries" in short else "apgd-ce"
    attack = Attack.model_validate({"method": method, "norm": norm, "eps": ["0.0000001"], **short})
    classifier, pixels, labels = photographs.untrained(name, images)
    took = spent(Task(classifier, pixels, labels, attack, 0), slots=images, repeats=3)
    yield {
        "case": f"{title} at 224 pixels, {norm}, {method}, batches of up to {images}",
        "peer": "bare passes",
        "images": images,
        "robust": [images],
        "overhead": round(took.engine / took.bare, 3),
        "share_of_ceiling": round(took.ceiling / took.engine, 3),
        "seconds": round(took.engine, 2),
    }


def parts(images: int, queries: int) -> Iterator[tuple[str, Callable[[], Iterator[Row]]]]:
    """Every part by its name; none has begun."""
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


def machine() -> str:
    """What the numbers were measured on."""
    if DEVICE.type == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    model = platform.machine()
    if (facts := Path("/proc/cpuinfo")).is_file():
        names = [line for line in facts.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{model}, 1 thread, torch {torch.__version__}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every case and write the rows. Exits with 2 if a part of them would replace the rows of all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--images", type=int, default=400, help="digits in each case, at most 797")
    parser.add_argument("--queries", type=int, default=5000, help="of Square; the standard's are 5000")
    parser.add_argument("--only", default="", metavar="TEXT", help="the parts whose names hold this")
    parser.add_argument("--results", type=Path, help="where the rows go; no chart if not to the usual file")
    options = parser.parse_args(arguments)
    results = options.results or (None if options.only else RESULTS)
    whole = results is not None and results.resolve() == RESULTS.resolve()
    if options.only and whole:
        parser.error(f"--only is a part of {RESULTS}, which holds the rows of a whole run: name another --results")
    torch.set_num_threads(1)
    if not peers.has_torchattacks():
        sys.stdout.write("left out: torchattacks, another peer, is not installed\n")
    on, kept = machine(), list[Row]()
    for name, rows in parts(options.images, options.queries):
        for row in rows() if options.only in name else ():
            kept.append({**row, "machine": on, "queries": options.queries})
            # Written after each row: a later one may fail.
            if results is not None:
                results.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            sys.stdout.write(f"{json.dumps(row)}\n")
            sys.stdout.flush()
    if whole:
        chart.draw(kept)
    table = Table(*COLUMNS, title=on)
    for row in kept:
        table.add_row(*(str(row.get(name, "")) for name in COLUMNS))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


if __name__ == "__main__":
    main()
