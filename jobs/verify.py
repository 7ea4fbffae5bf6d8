"""Verify the kept examples and clean verdicts of a run without the attack engine: `python -m jobs.verify RUN`.

Exit code 0: every claim is confirmed. 1: a claim is refuted or cannot be confirmed. 2: an input is invalid.
"""

import argparse
import sys
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from alignsec import atomic, terminal
from alignsec.command import INCOMPLETE, INPUT_ERROR, SUCCESS, explain_missing, run_command
from alignsec.console import TerminalConsole
from alignsec.display import Display
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
from alignsec.run.verification import Finding, Verification

try:
    from jobs.device import choose_device, disable_reduced_precision, name_device
    from jobs.verification.examples_folder import FolderClaims
    from jobs.verification.run_claims import RunClaims
except ModuleNotFoundError as missing:
    sys.exit(explain_missing(missing, "all"))

NOTE = "the run is unchanged"
_LIBRARIES = ("torch", "timm", "torchvision", "numpy", "pillow")


def main(argv: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m jobs.verify", description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder, which contains plan.json")
    parser.add_argument(
        "--examples", metavar="FOLDER", type=Path, help="verify this folder of examples; see docs/evidence.md"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: a GPU if there is one")
    return run_command(partial(_run, parser.parse_args(argv)), NOTE, os_error=INPUT_ERROR)


def _run(given: argparse.Namespace) -> int:
    folder = RunFolder(given.run)
    plan = Plan.read(folder)
    device = choose_device("", given.device)
    disable_reduced_precision()
    with Display(TerminalConsole(stderr=True)) as display:
        if given.examples is None:
            claims: RunClaims | FolderClaims = RunClaims(folder, device, display.advance)
            display.begin("verifying", len(plan.planned), unit="pairs")
        else:
            claims = FolderClaims(folder, given.examples, device, display.advance)
            display.begin("verifying", len(claims.rows), unit="files")
        claims.check(plan)
    result = Verification(
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        device=name_device(device),
        versions={name: version(name) for name in _LIBRARIES},
        **claims.results(),
    )
    path = folder.verification if given.examples is None else given.examples / folder.verification.name
    _write_result(result)
    atomic.write_atomic(path, result.model_dump_json(indent=1).encode() + b"\n")
    terminal.write(sys.stdout, f"The result is {path}\n")
    return SUCCESS if result.is_confirmed else INCOMPLETE


def _write_result(result: Verification) -> None:
    for claim in result.claims:
        terminal.write(sys.stdout, ", ".join(f"{key} {value}" for key, value in claim.items()) + "\n")
    _write_findings("refuted", result.refuted)
    _write_findings("not confirmed", result.unconfirmed)
    terminal.write(
        sys.stdout,
        f"confirmed: {result.examples} adversarial examples and {result.clean_verdicts} clean verdicts; "
        f"refuted: {len(result.refuted)} claims; not confirmed: {len(result.unconfirmed)}\n"
        f"{result.passes} forward passes for {result.inputs} images, at most {result.most_passes} for one image\n",
    )


def _write_findings(state: str, findings: list[Finding]) -> None:
    for one in findings:
        terminal.write(sys.stdout, f"{state}: {one.subject}: {one.reason}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
