"""Processes that end together with this one, whatever ends it: Ctrl-C, SIGHUP, SIGTERM or SIGKILL."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

GUARD = """
exec 3<&0
( { read -r end; kill -KILL 0; } <&3 >/dev/null 2>&1 & )
exec "$@" 3<&- </dev/null
"""
"""Shell script that starts a command and, in its process group, a guard. The guard waits at a pipe whose other end
only this process has open. The kernel closes that end when this process ends, also after SIGKILL."""


@contextmanager
def start(
    command: Sequence[str], cwd: Path, environ: Mapping[str, str], output: int | IO[str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """Start a command in a new session; kill all its processes at the end of the `with` block.

    A new session, because Ctrl-C in a terminal then reaches this process only, which ends the command in order.

    Args:
        command: The program and its arguments.
        cwd: The working directory.
        environ: The environment variables.
        output: Where stdout and stderr go, as for `subprocess.Popen`; by default, to those of this process.

    Raises:
        OSError: The process cannot be started.
    """
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "sh", *command],
            cwd=cwd,
            env=environ,
            stdin=reading,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    try:
        with process:
            try:
                yield process
            finally:
                kill(process)
    finally:
        os.close(writing)


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a command and all processes of its session. The guard keeps the group's id from being used again."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
