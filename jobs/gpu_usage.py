"""Use of a job's GPU: the driver, and samples of the utilisation, from nvidia-smi.

Reference: nvidia-smi's manual page, `--help-query-gpu`.
"""

import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

DRIVER_FILE = Path("/proc/driver/nvidia/version")
EVERY_SECONDS = 60.0
"""Seconds between two samples. A sample takes about 0.1 s, during which the job waits."""
_TIMEOUT_SECONDS = 10.0


@dataclass
class GpuUsage:
    """The driver and the utilisation of one GPU.

    Attributes:
        uuid: The GPU's UUID, such as GPU-8a0c...; empty on a CPU, where nothing is measured.
        program: Name or path of nvidia-smi.
    """

    uuid: str
    program: str = "nvidia-smi"
    driver: str = field(default="", init=False)
    samples: list[int] = field(default_factory=list, init=False)
    _sampled: float = field(default=float("-inf"), init=False)

    def __post_init__(self) -> None:
        if self.uuid:
            self.driver = _read_driver(DRIVER_FILE)

    def sample_if_due(self) -> None:
        """Take a sample if the last one is older than EVERY_SECONDS."""
        if not self.uuid or time.monotonic() - self._sampled < EVERY_SECONDS:
            return
        self._sampled = time.monotonic()
        driver, utilisation = self._query()
        self.driver = driver or self.driver
        # A MIG slice has no utilisation: nvidia-smi answers [N/A], or does not know the slice's UUID.
        if utilisation.isdecimal():
            self.samples.append(int(utilisation))

    @property
    def utilisation_percent(self) -> float | None:
        """Mean of the samples; None if there are none."""
        return round(sum(self.samples) / len(self.samples), 1) if self.samples else None

    def _query(self) -> tuple[str, str]:
        """Return nvidia-smi's driver version and utilisation; empty texts if it gives none."""
        program = shutil.which(self.program)
        if program is None:
            return "", ""
        fields = "--query-gpu=driver_version,utilization.gpu"
        words = [program, f"--id={self.uuid}", fields, "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return "", ""
        driver, _, utilisation = done.stdout.partition(",") if done.returncode == 0 else ("", "", "")
        return driver.strip(), utilisation.strip()


def _read_driver(path: Path) -> str:
    """Return the version of the kernel's NVIDIA driver; empty if there is none."""
    try:
        words = path.read_text(encoding="utf-8").partition("\n")[0].split()
    except (OSError, ValueError):
        return ""
    return next((word for word in words if word.replace(".", "").isdecimal() and "." in word), "")
