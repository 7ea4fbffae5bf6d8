"""A Python that has imported its libraries, so that each job of the campaign starts in milliseconds.

    python -m benchmarks.faults.warm_python SOCKET                         the server
    python -I -S benchmarks/faults/warm_client.py SOCKET -m jobs.evaluate  a client, as the PYTHON of a site

The server imports torch and pandas, and none of this project's code, which comes from PYTHONPATH as in a real job.
For each client it forks a process that gets the client's folder, environment, file size limit, standard output and
standard error. If a client dies, its process is killed.
"""

import array
import json
import os
import resource
import runpy
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.05
LIBRARIES = (
    *(
        "pyautoattack.autoattack",
        "timm",
        "torch",
        "safetensors.torch",
        "pydantic",
        "PIL.Image",
        "htcondor2",
        "rich",
    ),
    *("pandas", "jinja2", "matplotlib.figure", "scipy.stats", "sklearn.manifold", "statsmodels.api", "plotly"),
)


def _receive(client: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return a request and the file descriptors that came with it."""
    handles = array.array("i")
    data, ancillary, _, _ = client.recvmsg(65536, socket.CMSG_SPACE(2 * handles.itemsize))
    for _, _, numbers in ancillary:
        handles.frombytes(numbers)
    while not data.endswith(b"\n"):
        data += client.recv(65536)
    return json.loads(data), list(handles)


def _work(request: dict[str, Any], handles: list[int]) -> None:
    """Run the request's module in this process, and end the process."""
    code = 1
    try:
        os.setsid()
        os.chdir(request["folder"])
        for stream, handle in zip((1, 2), handles, strict=True):
            os.dup2(handle, stream)
        resource.setrlimit(resource.RLIMIT_FSIZE, tuple(request["file_size"]))
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.path[:0] = filter(None, request["environment"].get("PYTHONPATH", "").split(os.pathsep))
        _, module, *arguments = request["arguments"]
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _serve(client: socket.socket) -> None:
    """Run one request in a child process, and kill the child if the client dies."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, handles = _receive(client)
    child = os.fork()
    if not child:
        client.close()
        _work(request, handles)
    for handle in handles:
        os.close(handle)
    while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if select.select([client], [], [], POLL_SECONDS)[0]:
            # Nothing is readable but the end of the connection. The child may not lead its group yet.
            os.kill(child, signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            break
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        client.sendall(f"{code}\n".encode())
    except OSError:
        return


def main(path: str) -> None:
    """Import the libraries, then serve clients until the process is ended."""
    # The modules of this project come from the job's code.zip.
    sys.path[:] = [entry for entry in sys.path if not (Path(entry or ".") / "alignsec").is_dir()]
    for library in LIBRARIES:
        __import__(library)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        while True:
            client, _ = listener.accept()
            if not os.fork():
                listener.close()
                _serve(client)
                os._exit(0)
            client.close()


if __name__ == "__main__":
    main(sys.argv[1])
