"""Provenance: where, when and with what a pair was run."""

import platform
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import alignsec
from alignsec import digest
from alignsec.catalogue import sources
from alignsec.run.outcome import Provenance

LIBRARIES = (
    *("torch", *sources.libraries(), "pyautoattack", "numpy", "pillow", "safetensors"),
    *("imagecorruptions-imaug", "opencv-python-headless", "scikit-image", "scipy", "numba"),
)
"""Those that can change a verdict."""
JOB_AD, MACHINE_AD = Path(".job.ad"), Path(".machine.ad")
"""HTCondor leaves the ClassAds of the job and of its slot in its scratch directory."""


class Clock:
    """When the job's first line ran."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self._ticks = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since then."""
        return round(time.monotonic() - self._ticks, 3)


def gather(clock: Clock, environ: Mapping[str, str], precision: str = "fp32") -> Provenance:
    """Everything a number needs to be traced, as far as this machine tells."""
    return Provenance(
        code=_code(),
        container=environ.get("ALIGNSEC_CONTAINER", ""),
        versions={"python": platform.python_version(), **_versions()},
        precision=precision,
        device=_device(),
        host=socket.gethostname(),
        job=_job(),
        started=clock.started.isoformat(timespec="seconds"),
        seconds=clock.seconds,
        peak_memory_mb=_peak_memory_mb(),
        peak_gpu_memory_mb=_peak_gpu_memory_mb(),
    )


def _code() -> str:
    """SHA-256 of the zip this code was imported from; outside a run, of the library's source files in order."""
    package = Path(alignsec.__path__[0])
    if package.parent.suffix == ".zip":
        return digest.sha256_of_file(package.parent)
    return digest.sha256_of_bytes(b"".join(source.read_bytes() for source in sorted(package.rglob("*.py"))))


def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _device() -> str:
    try:
        import torch  # noqa: PLC0415 - a job that fails to import torch must still leave an outcome

        if torch.cuda.is_available():
            return torch.cuda.get_device_name()
    except (ImportError, OSError, RuntimeError) as error:
        return f"unknown, {_processor()}: {type(error).__name__}"
    return f"CPU, {torch.get_num_threads()} threads, {_processor()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _peak_memory_mb() -> int | None:
    """Of this program alone; ru_maxrss would count the one that started it as well."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 // 1_000_000 for line in lines if line.startswith("VmHWM:")), None)


def _peak_gpu_memory_mb() -> int | None:
    try:
        import torch  # noqa: PLC0415 - as in _device

        return torch.cuda.max_memory_reserved() // 1_000_000 if torch.cuda.is_available() else None
    except (ImportError, OSError, RuntimeError):
        return None


def _job() -> str:
    """HTCondor's cluster.process id; empty outside a pool."""
    ad = _class_ad(JOB_AD)
    return f"{ad['ClusterId']}.{ad['ProcId']}" if {"ClusterId", "ProcId"} <= ad.keys() else ""


def memory_bytes() -> int | None:
    """What HTCondor's slot has for this job, in all; None outside a pool."""
    megabytes = _class_ad(MACHINE_AD).get("Memory", "")
    return int(megabytes) * 2**20 if megabytes.isdecimal() else None


def _class_ad(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return dict(line.split(" = ", 1) for line in lines if " = " in line)
