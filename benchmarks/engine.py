"""The engine against other implementations of AutoAttack, in one run. Writes benchmarks/results/engine.json.

    python -m benchmarks.engine --images 400

Ratios are peer over ours: 2 means that the peer takes twice as much. `noise` says which random numbers ours drew:
"reference" replays the reference's, where every image must have the reference's verdict; "own" is the default.
"""

import argparse
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from alignsec.attack import Attack
from alignsec.task import Task
from benchmarks import peers
from benchmarks.digit_networks import TRAINED_ON, as_classifier, digits, trained
from benchmarks.overhead import overhead

RESULTS = Path(__file__).parent / "results" / "engine.json"
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A network under full standard AutoAttack at three budgets."""

    name: str
    robust: bool
    norm: str
    eps: tuple[str, str, str]


CASES = (
    Case("undefended, all images break", False, "Linf", ("0.3", "0.35", "0.4")),
    Case("undefended, all images break", False, "L2", ("2", "2.5", "3")),
    Case("undefended, from most robust to most broken", False, "Linf", ("0.03", "0.08", "0.15")),
    Case("adversarially trained, most images robust", True, "Linf", ("0.03", "0.06", "0.1")),
    Case("adversarially trained, most images robust", True, "L2", ("0.2", "0.4", "0.6")),
)


@cache
def _network(robust: bool) -> nn.Module:
    return trained(robust)


def compare(case: Case, images: int, queries: int) -> Iterator[Row]:
    """One row a peer."""
    attack = Attack.model_validate(
        {"method": "autoattack", "norm": case.norm, "eps": list(case.eps), "queries": queries, "batch": images}
    )
    pixels, labels = (part[TRAINED_ON : TRAINED_ON + images] for part in digits())
    task = Task(as_classifier(_network(case.robust), 1, 8), pixels, labels, attack, 0)
    own, replayed = peers.ours(task), peers.ours(task, replay=True)
    reference = peers.pyautoattack(task)
    yield _row(case, "pyautoattack", "reference", replayed, reference)
    yield _row(case, "pyautoattack", "own", own, reference)
    for name, steps in (("torchattacks as installed", None), ("torchattacks, 100 steps", 100)):
        if other := peers.torchattacks(task, steps):
            yield _row(case, name, "own", own, other)


def _row(case: Case, peer: str, noise: str, ours: peers.Answer, theirs: peers.Answer) -> Row:
    return {
        "case": f"{case.name}, {case.norm} {', '.join(case.eps)}",
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


def photograph_overhead(norm: str) -> Row:
    """A ResNet-18 at 224 pixels, untrained, on images that stay robust: what the engine adds to its passes."""
    torch.manual_seed(0)
    classifier = as_classifier(timm.create_model("resnet18"), 3, 224)
    pixels = torch.rand(4, 3, 224, 224)
    with torch.no_grad():
        labels = classifier(pixels).argmax(1)
    short: Row = {"steps": 6, "targets": 2, "queries": 12}
    attack = Attack.model_validate({"method": "autoattack", "norm": norm, "eps": ["0.0000001"], **short})
    spent = overhead(Task(classifier, pixels, labels, attack, 0), slots=4, repeats=3)
    case = f"ResNet-18 at 224 pixels, {norm}, batches of up to 4"
    return {"case": case, "peer": "bare passes", "images": len(pixels), "robust": [4], "overhead": round(spent, 3)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every case and write the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--images", type=int, default=400, help="digits in each case, at most 797")
    parser.add_argument("--queries", type=int, default=5000, help="of Square; the standard's are 5000")
    parser.add_argument("--no-photographs", action="store_true", help="leave the ResNet-18 out")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    machine = f"{platform.machine()}, 1 thread, torch {torch.__version__}"
    rows: list[Row] = []

    def keep(row: Row) -> None:
        """Written after each row: a later one may fail."""
        rows.append({**row, "machine": machine, "queries": options.queries})
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"{json.dumps(row)}\n")
        sys.stdout.flush()

    for norm in () if options.no_photographs else ("Linf", "L2"):
        keep(photograph_overhead(norm))
    for case in CASES:
        for row in compare(case, options.images, options.queries):
            keep(row)


if __name__ == "__main__":
    main()
