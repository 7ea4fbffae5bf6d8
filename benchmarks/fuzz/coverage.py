"""Fuzzing that is guided by coverage, with atheris: libFuzzer for Python.

atheris is an optional library (the extra `fuzz`). It takes over the process, so a process of its own runs it:
`python -m benchmarks.fuzz.coverage READER FOLDER SECONDS SEED`.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from alignsec.errors import ConfigErrors
from benchmarks.fuzz.campaign import ReaderResult, memory_disk, save_finding
from benchmarks.fuzz.reader import Reader
from benchmarks.fuzz.worker import CPU_SECONDS, Stop

_STATISTICS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_MEMORY_MB = 4096
_MOST_BYTES = 65_536
_GRACE_SECONDS = 60
_ARTIFACTS = ("crash-*", "timeout-*", "oom-*", "leak-*")


def fuzz_reader(reader: Reader, seed: int, seconds: float, count: int, found: Path) -> ReaderResult:
    """Fuzz one reader with atheris until the first finding; the arguments are those of `campaign.fuzz_reader`.

    Raises:
        ConfigErrors: atheris is not installed.
    """
    if importlib.util.find_spec("atheris") is None:
        remedy = "needs atheris, which is not installed; to install it, run: pip install 'atheris>=3'"
        raise ConfigErrors.about("--coverage", remedy)
    result = ReaderResult(reader.name)
    with tempfile.TemporaryDirectory(dir=memory_disk()) as name:
        folder = Path(name)
        (folder / "corpus").mkdir()
        (folder / "made").mkdir()
        for number, data in enumerate(reader.corpus(folder / "made")):
            (folder / "corpus" / f"{number}").write_bytes(data)
        command = [sys.executable, "-m", __spec__.name, reader.name, name, str(seconds), str(seed), str(count)]
        started = time.monotonic()
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=seconds + 10 * _GRACE_SECONDS,
        )  # fmt: skip
        result.seconds = time.monotonic() - started
        if stated := _STATISTICS.search(done.stderr):
            result.executions = int(stated[1])
        for artifact in sorted(path for pattern in _ARTIFACTS for path in folder.glob(pattern)):
            kind = artifact.name.partition("-")[0]
            reason = "an exception that is not allowed" if kind == "crash" else kind
            result.findings.append(
                save_finding(reader, artifact, Stop(0, 0, reason, done.stderr[-20_000:]), found)
            )
    return result


def main(argv: list[str]) -> int:
    """Run atheris on one reader; it ends the process."""
    import atheris  # noqa: PLC0415 - optional

    name, folder, seconds, seed, count = argv
    with atheris.instrument_imports(
        include=["alignsec", "submit", "aggregate", "jobs", "tarfile", "csv", "tomllib"]
    ):
        from benchmarks.fuzz.readers import READERS  # noqa: PLC0415 - instrumented
    reader = READERS[name]
    work = Path(folder) / "work"
    work.mkdir()
    os.chdir(work)
    path = work / reader.file

    def execute(data: bytes) -> None:
        path.write_bytes(data)
        reader.execute(path)

    options = [
        f"-max_total_time={int(float(seconds))}", f"-seed={int(seed) + 1}", f"-runs={min(int(count), 2**31 - 1)}",
        f"-timeout={int(CPU_SECONDS)}", f"-rss_limit_mb={_MEMORY_MB}", f"-artifact_prefix={folder}/",
        f"-max_len={_MOST_BYTES}", "-print_final_stats=1",
    ]  # fmt: skip
    atheris.Setup([__spec__.name, *options, f"{folder}/corpus"], execute)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
