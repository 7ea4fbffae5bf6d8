"""Starts jobs in processes of their own without waiting three seconds for torch each time.

A Python that has imported the libraries, and none of our code, forks once for each line on its standard input,
`{"folder": ..., "path": [...], "arguments": [...]}`, runs `python -m jobs.evaluate` there, and answers with the
exit code as the shell would see it.
"""

import json
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any


def run(order: dict[str, Any]) -> int:
    """The job, in a child of this process; its streams go to the files out and err of its folder's parent."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        os.chdir(order["folder"])
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"../{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        sys.path[:0] = order["path"]
        sys.argv = ["jobs.evaluate", *order["arguments"]]
        runpy.run_module("jobs.evaluate", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - a child must end here, whatever happened
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Import what takes long, then serve."""
    import pyautoattack.autoattack  # noqa: F401, PLC0415
    import timm  # noqa: F401, PLC0415
    import torch  # noqa: F401, PLC0415

    for line in sys.stdin:
        sys.stdout.write(f"{run(json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    # Our own rooms must come from the code.zip of the job, not from here.
    sys.path[:] = [entry for entry in sys.path if not (Path(entry) / "alignsec").is_dir()]
    main()
