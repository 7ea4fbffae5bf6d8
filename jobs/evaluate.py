"""The job: `python3 -m jobs.evaluate PAIR.json` in a folder that holds the pair's files. Leaves outcome.json.

Always leaves one: HTCondor holds a job whose declared output is missing, and the DAG then waits for ever.
"""

import argparse
import os
import sys
import traceback
from pathlib import Path

from pydantic import ValidationError

from alignsec.models.errors import is_out_of_memory
from alignsec.run import exit_code, outcome_file
from alignsec.run.folder import JOB_CHECKPOINT, JOB_OUTCOME
from alignsec.run.outcome import Failure, Record
from alignsec.spec.pair import Pair
from jobs import provenance
from jobs.checkpoint import Checkpoint, CheckpointSaved

OUTCOME = Path(JOB_OUTCOME)
CHECKPOINT = Path(JOB_CHECKPOINT)


def main() -> int:
    """Read the arguments, answer the pair, leave its outcome; the exit code is one of alignsec.run.exit_code."""
    parser = argparse.ArgumentParser(prog="python3 -m jobs.evaluate", description=__doc__)
    parser.add_argument("pair", type=Path, help="the pair's JSON file; its weights and images lie beside it")
    parser.add_argument(
        "--checkpoint-every",
        type=float,
        metavar="SECONDS",
        help=f"after this time leave {CHECKPOINT} and exit {exit_code.CHECKPOINT}, to be started again",
    )
    arguments = parser.parse_args()
    clock = provenance.Clock()
    pair = None
    try:
        # HTCondor wants every declared output to exist, whatever happens; an empty one is a failed pair.
        OUTCOME.touch()
        checkpoint = Checkpoint(CHECKPOINT, clock, arguments.checkpoint_every)
        pair = _read(arguments.pair)
        # Here, not above: a job on a machine where torch does not import must leave its outcome as well.
        from jobs.pair_evaluation import evaluate_pair  # noqa: PLC0415

        result: Record | Failure = evaluate_pair(pair, Path(), checkpoint, clock, os.environ)
        code = exit_code.DONE
    except CheckpointSaved:
        return exit_code.CHECKPOINT
    except Exception as error:  # noqa: BLE001 - the one broad except: whatever went wrong becomes a recorded failure
        result = _failure(error, pair, arguments.pair.stem, clock)
        code = exit_code.HOPELESS if result.hopeless else exit_code.TRY_AGAIN
        traceback.print_exc()
    return code if _leave(result) else exit_code.TRY_AGAIN


def _read(path: Path) -> Pair:
    try:
        return Pair.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise PairFileError(f"{path.name} is not a pair: {error.errors()[0]['msg']}") from error


class PairFileError(ValueError):
    """The pair file is not what a run folder holds."""


def _failure(error: Exception, pair: Pair | None, stem: str, clock: provenance.Clock) -> Failure:
    return Failure(
        id=pair.id if pair else _text(stem),
        pair=pair,
        hopeless=not _is_machines_fault(error),
        reason=_text(f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"),
        traceback=_text("".join(traceback.format_exception(error))),
        provenance=provenance.gather(clock, os.environ),
    )


def _text(said: str) -> str:
    """What JSON can hold: a file name that is not UTF-8 may stand in a message."""
    return said.encode(errors="backslashreplace").decode()


_MACHINES_FAULTS = {
    # ImportError: a broken driver or container on one machine, and a try elsewhere costs seconds.
    *("OSError", "ImportError", "AcceleratorError"),
    *("BadPack", "TransferError"),
}
"""By name: torch's own errors cannot be imported where torch cannot."""


def _is_machines_fault(error: Exception) -> bool:
    """Whether another machine could do better: disks, transfers, memory and GPUs fail; requests are wrong."""
    return is_out_of_memory(error) or not _MACHINES_FAULTS.isdisjoint(
        kind.__name__ for kind in type(error).__mro__
    )


def _leave(result: Record | Failure) -> bool:
    """Write the outcome; where even that fails, say so on stderr and leave the machine to be tried again."""
    try:
        outcome_file.write(OUTCOME, result)
    except OSError as error:
        sys.stderr.write(f"{OUTCOME} could not be written: {error}\n")
        return False
    sys.stdout.write(f"{result.id}: {result.status}\n")
    return True


if __name__ == "__main__":
    sys.exit(main())
