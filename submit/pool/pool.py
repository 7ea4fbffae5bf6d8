"""A usable HTCondor pool, the options of a private one, and the reason why none can be had."""

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


class PoolUnavailable(Exception):
    """No pool can be had here; the message is one line: the reason, and what to install."""


class PoolBroken(PoolUnavailable):
    """HTCondor is here and does not come up, which is a fault to look into; the message names the log."""


@dataclass(frozen=True)
class PoolOptions:
    """How a private pool is made; read when it starts, ignored while it runs.

    Attributes:
        suite: Debian suite whose HTCondor is fetched: trixie has 23.9, sid has 25.x.
        cpus: CPUs the pool offers, at least 1; None offers the machine's. May exceed what is there.
        memory_mb: memory the pool offers, MB; None offers the machine's. May exceed what is there.
        gpus: simulated GPUs, as "KIND,COUNT" of `condor_gpu_discovery -simulate`: "4,2" is two A100-40GB.
        extra: more lines of condor_config, put last, so they win.
        apptainer: also fetch apptainer and offer the container universe.
        installed: prefix of an HTCondor to use instead of fetching one ("/usr" has /usr/sbin/condor_master).
        cache: folder of fetched packages, shared by all checkouts of this user.
        root_as: how root's pool avoids being root (see submit.pool.identity); no meaning for other users.
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
        """Refuse what HTCondor would only complain of in a daemon's log.

        Raises:
            ValueError: an option that no pool can start with, named with what was given.
        """
        if self.gpus is not None and not re.fullmatch(r"\d+,[1-9]\d*", self.gpus):
            raise ValueError(f'gpus: {self.gpus!r} is not "KIND,COUNT"; write it as "4,2"')
        for name, value in (("cpus", self.cpus), ("memory_mb", self.memory_mb)):
            if value is not None and value < 1:
                raise ValueError(f"{name}: {value} is not a positive number")


@dataclass(frozen=True)
class Pool:
    """A pool whose schedd answers.

    Attributes:
        folder: this checkout's pool folder (empty or absent when the pool is not ours).
        config: the condor_config that names the pool.
        prefix: where its bin/ and sbin/ lie; None when the tools are on PATH already.
        user: the name that its jobs run under.
        owned: True when we started it, so that `down` may end it.
        enter: command line put before a tool so that it runs as the pool's user; empty when none is needed.
    """

    folder: Path
    config: Path
    prefix: Path | None
    user: str
    owned: bool
    enter: tuple[str, ...] = ()

    def environment(self, path: str = os.defpath) -> dict[str, str]:
        """CONDOR_CONFIG and PATH for the pool's tools and for the Python bindings.

        Args:
            path: the caller's PATH; the pool's bin and sbin go before it.
        """
        before = [] if self.prefix is None else [self.prefix / "bin", self.prefix / "sbin"]
        if self.enter:
            before.insert(0, self.config.parent / "bin")  # the doors that identity.doors describes
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
        """Run a command as the pool's user, with the pool's environment, text in and out.

        Args:
            argv: the command; a bare name is looked up in the pool's bin and sbin first.
            cwd: folder to run in.
            environ: the environment below CONDOR_CONFIG and PATH; nothing of the caller's by default.
            stdin: text for its standard input; empty by default.
            capture: take stdout and stderr into the result, else they go where ours go.
            check: raise subprocess.CalledProcessError when it exits non-zero.
            timeout_seconds: raise subprocess.TimeoutExpired after so long.
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
