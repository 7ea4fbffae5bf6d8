"""Provenance: machine, time, code and library versions of a job."""

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
"""Distributions whose versions can change a verdict."""
JOB_AD, MACHINE_AD = Path(".job.ad"), Path(".machine.ad")
"""ClassAds of the job and of its slot, which HTCondor writes into the scratch directory."""

NO_GPU = {"10000", "none", "undefined"}
"""Values of _CONDOR_AssignedGPUs in a slot without a GPU; 10000 is the default of HTCondor's setting
ENVIRONMENT_VALUE_FOR_UnAssignedGPUs."""


class Clock:
    """The start time of the job."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self._ticks = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return round(time.monotonic() - self._ticks, 3)


def gather(clock: Clock, environ: Mapping[str, str], precision: str = "fp32") -> Provenance:
    """Return the provenance of a job.

    Args:
        clock: The job's clock.
        environ: The job's environment variables.
        precision: Precision of the search and of the verdicts.
    """
    return Provenance(
        code=_code_digest(),
        container=environ.get("ALIGNSEC_CONTAINER", ""),
        versions={"python": platform.python_version(), **_library_versions()},
        precision=precision,
        device=_device(),
        host=socket.gethostname(),
        job=_job_id(),
        started=clock.started.isoformat(timespec="seconds"),
        seconds=clock.seconds,
        peak_memory_mb=_peak_memory_mb(),
        peak_gpu_memory_mb=_peak_gpu_memory_mb(),
    )


def _code_digest() -> str:
    """Return the SHA-256 of the imported code.zip; outside a run, that of the library's source files in order."""
    package = Path(alignsec.__path__[0])
    if package.parent.suffix == ".zip":
        return digest.sha256_of_file(package.parent)
    return digest.sha256_of_bytes(b"".join(source.read_bytes() for source in sorted(package.rglob("*.py"))))


def _library_versions() -> dict[str, str]:
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
    """Return the peak memory of this process alone; ru_maxrss would include the process that started it."""
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


def _job_id() -> str:
    """Return HTCondor's job id, cluster.process; empty outside a pool."""
    ad = _read_class_ad(JOB_AD)
    return f"{ad['ClusterId']}.{ad['ProcId']}" if {"ClusterId", "ProcId"} <= ad.keys() else ""


def read_memory_bytes() -> int | None:
    """Return the memory of this job's HTCondor slot in bytes; None outside a pool."""
    megabytes = _read_class_ad(MACHINE_AD).get("Memory", "")
    return int(megabytes) * 2**20 if megabytes.isdecimal() else None


def read_gpu_memory_bytes() -> int | None:
    """Return the GPU memory of this job's slot in bytes; None if HTCondor does not report it.

    A pool that divides a GPU among jobs reports each job's share.
    """
    megabytes = _read_class_ad(MACHINE_AD).get("GPUs_GlobalMemoryMb", "")
    return int(megabytes) * 2**20 if megabytes.isdecimal() else None


def find_assigned_gpus(environ: Mapping[str, str]) -> str:
    """Return the GPUs that HTCondor assigned to this job, as it names them; empty if it assigned none.

    Args:
        environ: The job's environment variables.
    """
    assigned = environ.get("_CONDOR_AssignedGPUs", "").strip()
    if assigned and assigned.lower() not in NO_GPU:
        return assigned
    # A pool can change the variable, but the job's own request stays in its ClassAd.
    requested = _read_class_ad(JOB_AD).get("RequestGPUs", "")
    return f"RequestGPUs = {requested}" if requested.isdecimal() and int(requested) else ""


def _read_class_ad(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return dict(line.split(" = ", 1) for line in lines if " = " in line)
