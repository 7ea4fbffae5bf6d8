"""Entry point of a job: `python3 -m jobs.evaluate SHARD.json --pair ID`, run in the folder with the pair's files.

A job always leaves outcome.json. HTCondor holds a job whose declared output is missing, and the DAG would wait for
it without end.
"""

import argparse
import os
import sys
import traceback
from pathlib import Path

from pydantic import ValidationError

from alignsec.models.errors import is_out_of_memory
from alignsec.run import exit_code, outcome_file
from alignsec.run.folder import JOB_CHECKPOINT, JOB_EXAMPLES, JOB_OUTCOME
from alignsec.run.outcome import Failure, Record
from alignsec.run.pair_shard import PairFileError, read_pair
from alignsec.spec.pair import Pair
from jobs import provenance
from jobs.checkpoint import Checkpoint, CheckpointSaved

OUTCOME, EXAMPLES = Path(JOB_OUTCOME), Path(JOB_EXAMPLES)
CHECKPOINT = Path(JOB_CHECKPOINT)


def main() -> int:
    """Evaluate the pair, write its outcome and return an exit code of alignsec.run.exit_code."""
    parser = argparse.ArgumentParser(prog="python3 -m jobs.evaluate", description=__doc__)
    parser.add_argument("file", type=Path, help="JSON file of pairs, in the folder with the weights and images")
    parser.add_argument("--pair", metavar="ID", help="the pair of the file; without it, the file is one pair")
    parser.add_argument(
        "--checkpoint-every",
        type=float,
        metavar="SECONDS",
        help=f"after this time write {CHECKPOINT} and exit with {exit_code.CHECKPOINT}, to be restarted",
    )
    arguments = parser.parse_args()
    clock = provenance.Clock()
    pair = None
    try:
        # HTCondor requires every declared output to exist in any case; an empty outcome is a failed pair.
        OUTCOME.touch()
        EXAMPLES.touch()
        checkpoint = Checkpoint(CHECKPOINT, clock, arguments.checkpoint_every)
        pair = _read_pair(arguments.file, arguments.pair)
        # Imported here: a job must leave an outcome even on a machine where torch cannot be imported.
        from jobs.pair_evaluation import evaluate_pair  # noqa: PLC0415

        result: Record | Failure = evaluate_pair(pair, Path(), checkpoint, clock, os.environ)
        code = exit_code.DONE
    except CheckpointSaved:
        return exit_code.CHECKPOINT
    except Exception as error:  # noqa: BLE001 - the only broad except: any error becomes a recorded failure
        result = _failure(error, pair, arguments.pair or arguments.file.stem, clock)
        code = exit_code.PERMANENT_FAILURE if result.hopeless else exit_code.TEMPORARY_FAILURE
        traceback.print_exc()
    return code if _write_outcome(result) else exit_code.TEMPORARY_FAILURE


def _read_pair(path: Path, pair_id: str | None) -> Pair:
    """Return the job's pair from a shard, or from a file of one pair."""
    if pair_id is not None:
        return read_pair(path, pair_id)
    try:
        return Pair.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise PairFileError(f"{path.name}: invalid pair: {error.errors()[0]['msg']}") from error


def _failure(error: Exception, pair: Pair | None, name: str, clock: provenance.Clock) -> Failure:
    return Failure(
        id=pair.id if pair else _escape(name),
        pair=pair,
        hopeless=not _is_machine_error(error),
        reason=_escape(f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"),
        traceback=_escape("".join(traceback.format_exception(error))),
        provenance=provenance.gather(clock, os.environ),
    )


def _escape(text: str) -> str:
    """Escape what JSON cannot store, such as a file name in a message that is not valid UTF-8."""
    return text.encode(errors="backslashreplace").decode()


_MACHINE_ERRORS = {
    # ImportError: the driver or container of one machine is broken, and a retry on another costs seconds.
    *("OSError", "ImportError", "AcceleratorError"),
    *("PackError", "TransferError", "UnusableGpuError"),
}
"""Class names of errors that are retried on another machine. Without torch, torch's errors cannot be imported."""


def _is_machine_error(error: Exception) -> bool:
    """Return True if a retry on another machine can succeed: a disk, a transfer, memory or a GPU failed."""
    return is_out_of_memory(error) or not _MACHINE_ERRORS.isdisjoint(kind.__name__ for kind in type(error).__mro__)


def _write_outcome(result: Record | Failure) -> bool:
    """Write the outcome file; return False, with a message on stderr, if it cannot be written."""
    try:
        outcome_file.write(OUTCOME, result)
    except OSError as error:
        sys.stderr.write(f"{OUTCOME}: cannot be written: {error}\n")
        return False
    sys.stdout.write(f"{result.id}: {result.status}\n")
    return True


if __name__ == "__main__":
    sys.exit(main())
