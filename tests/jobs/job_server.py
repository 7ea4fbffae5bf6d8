"""Job server: starts each job in a process of its own without the three seconds that importing torch takes.

The server imports the libraries, and none of this project's code. For each line on its standard input,
`{"folder": ..., "path": [...], "arguments": [...]}`, it forks, runs `python -m jobs.evaluate` in the child, and
writes the exit code to its standard output.
"""

import json
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any


def run(request: dict[str, Any]) -> int:
    """Run a job in a child process. Its output goes to the files `out` and `err` in the parent of its folder."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        os.chdir(request["folder"])
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"../{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        sys.path[:0] = request["path"]
        sys.argv = ["jobs.evaluate", *request["arguments"]]
        runpy.run_module("jobs.evaluate", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the child must exit here in any case
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Import the libraries that take long to import, then serve requests."""
    import pyautoattack.autoattack  # noqa: F401, PLC0415
    import timm  # noqa: F401, PLC0415
    import torch  # noqa: F401, PLC0415

    for line in sys.stdin:
        sys.stdout.write(f"{run(json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    # alignsec and jobs must come from the job's code.zip, not from this checkout.
    sys.path[:] = [entry for entry in sys.path if not (Path(entry) / "alignsec").is_dir()]
    main()
