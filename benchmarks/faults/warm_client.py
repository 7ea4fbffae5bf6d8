"""Client of `warm_python`: runs a module in a fork of the server, with this process's folder and environment.

python -I -S warm_client.py SOCKET -m MODULE [ARGUMENT ...]
"""

import array
import json
import os
import resource
import socket
import sys


def main(path: str, arguments: list[str]) -> int:
    """Send the request and return the exit code of its process.

    Args:
        path: The server's socket.
        arguments: `-m`, the module and its arguments.
    """
    request = {
        "folder": os.getcwd(),  # noqa: PTH109 - pathlib takes longer to import than the request takes
        "environment": dict(os.environ),
        "file_size": resource.getrlimit(resource.RLIMIT_FSIZE),
        "arguments": arguments,
    }
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        handles = array.array("i", [1, 2]).tobytes()
        data = json.dumps(request).encode() + b"\n"
        sent = server.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)])
        server.sendall(data[sent:])
        answer = server.recv(64)
    code = int(answer or b"1")
    if code < 0:
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
