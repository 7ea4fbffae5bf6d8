"""A usable HTCondor pool, the options of a private one, and the errors if there is none."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Suite = Literal["trixie", "sid"]
RootAs = Literal["auto", "namespace", "capabilities"]

REMEDY = (
    "install HTCondor (Debian 13 package condor, Ubuntu package htcondor, or htcondor.org) "
    "so that condor_master is on PATH, or set CONDOR_CONFIG to a running pool's configuration"
)


class PoolUnavailableError(Exception):
    """No pool is available; the message is one line with the reason and what to install."""


class PoolStartError(PoolUnavailableError):
    """HTCondor is installed but does not start; the message names the log."""


@dataclass(frozen=True)
class PoolOptions:
    """The options of a private pool. They take effect when it starts.

    Attributes:
        suite: Debian suite of the downloaded HTCondor: trixie has 23.9, sid has 25.x.
        cpus: CPUs of the pool, at least 1; may exceed the machine's. None takes the machine's.
        memory_mb: Memory of the pool in MB, at least 1; may exceed the machine's. None takes the machine's.
        gpus: Simulated GPUs as "KIND,COUNT" of `condor_gpu_discovery -simulate`: "4,2" is two A100-40GB.
        extra: Additional lines at the end of condor_config, so they override others.
        apptainer: Also install apptainer and enable the container universe.
        installed: Prefix of an installed HTCondor to use instead of downloading one ("/usr" has
            /usr/sbin/condor_master).
        cache: Folder of downloaded packages, shared by all checkouts of this user.
        root_as: How a pool started by root becomes another user (see submit.pool.user). Not used for other users.
    """

    suite: Suite = "trixie"
    cpus: int | None = None
    memory_mb: int | None = None
    gpus: str | None = None
    extra: str = ""
    apptainer: bool = False
    installed: Path | None = None
    cache: Path = field(default_factory=lambda: Path("~/.cache/alignsec").expanduser())
    root_as: RootAs = "auto"

    def __post_init__(self) -> None:
        """Validate the options, because HTCondor would report errors only in a daemon's log.

        Raises:
            ValueError: An option is invalid; the message names it and the given value.
        """
        if self.gpus is not None and not re.fullmatch(r"\d+,[1-9]\d*", self.gpus):
            raise ValueError(f'gpus: {self.gpus!r} must be "KIND,COUNT", such as "4,2"')
        for name, value in (("cpus", self.cpus), ("memory_mb", self.memory_mb)):
            if value is not None and value < 1:
                raise ValueError(f"{name}: {value} must be a positive number")


@dataclass(frozen=True)
class Pool:
    """A running pool.

    Attributes:
        folder: This checkout's pool folder; empty or missing if this is not the checkout's pool.
        config: The condor_config of the pool.
        prefix: The folder that contains the pool's bin/ and sbin/; None if the tools are on PATH.
        user: The user name of the pool's jobs.
        owned: True if this checkout started the pool, so that `down` may stop it.
        enter: Command line before a tool, so that it runs as the pool's user; empty if not needed.
    """

    folder: Path
    config: Path
    prefix: Path | None
    user: str
    owned: bool
    enter: tuple[str, ...] = ()

    def environment(self, path: str = os.defpath) -> dict[str, str]:
        """Return CONDOR_CONFIG and PATH for the pool's tools and for the Python bindings.

        Args:
            path: The caller's PATH. The pool's bin and sbin come first.
        """
        before = [] if self.prefix is None else [self.prefix / "bin", self.prefix / "sbin"]
        if self.enter:
            before.insert(0, self.config.parent / "bin")  # see user.tool_wrappers
        return {"CONDOR_CONFIG": str(self.config), "PATH": os.pathsep.join([*map(str, before), path])}

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
        stdin: str | None = None,
        capture: bool = True,
        check: bool = False,
        timeout_seconds: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the pool's user in the pool's environment, with text input and output.

        Args:
            argv: The command. A name without a path is searched for in the pool's bin and sbin first.
            cwd: Working directory.
            environ: Environment variables besides CONDOR_CONFIG and PATH; none by default.
            stdin: Text for the standard input; empty by default.
            capture: Return stdout and stderr in the result; otherwise print them.
            check: Raise subprocess.CalledProcessError if the exit code is not 0.
            timeout_seconds: Raise subprocess.TimeoutExpired after this time.
        """
        base = dict(environ or {})
        base.update(self.environment(base.get("PATH", os.defpath)))
        return subprocess.run(
            [*self.enter, *map(str, argv)],
            cwd=cwd,
            env=base,
            input=stdin or "",
            capture_output=capture,
            check=check,
            timeout=timeout_seconds,
            text=True,
        )
