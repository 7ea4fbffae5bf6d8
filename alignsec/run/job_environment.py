"""Environment variables of a job, wherever it runs: in a pool, on this machine, or while a model is packed."""

from collections.abc import Mapping
from pathlib import Path

INHERITED = frozenset(
    {
        *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "LD_LIBRARY_PATH", "CONDA_PREFIX"),
        *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES"),
        *("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"),
        *("CC", "CXX", "ALIGNSEC_CONTAINER"),
    }
)
"""Variables that a job on this machine inherits from the user's environment. All others are left out: tokens and
keys such as HF_TOKEN and AWS_SECRET_ACCESS_KEY must not reach the code of a model. A pool's job inherits none."""
DOWNLOADS = frozenset(
    {
        *(
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "NO_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "no_proxy",
            "all_proxy",
        ),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    }
)
"""Further variables that a process inherits if it downloads files: proxies and certificates."""

CODE = "code.zip"
"""The run's code; PYTHONPATH names it."""
HOME = "home"
"""The home folder of a job, below its scratch directory. The archive of a model is unpacked there, so a job
must read and import nothing else from it, such as its code."""
LIBRARY_FOLDERS = {"HOME": "", "HF_HOME": "hub", "TORCH_HOME": "torch", "MPLCONFIGDIR": "matplotlib"}
"""Folders below the home folder in which libraries keep files. HTCondor sets no HOME."""
COMPILER_FOLDERS = {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton", "TMPDIR": ""}
"""Folders in which torch.compile keeps files. It writes precompiled headers to TMPDIR, not to its cache folder.
All of them are removed with the scratch directory."""
SETTINGS = {
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
    "HF_HUB_OFFLINE": "1",
    "BS_INSTALL_DEPENDENCIES": "no",
    "PYTHONSAFEPATH": "1",
    "PYTHONNOUSERSITE": "1",
}
"""One compiler process, not one for each core of the machine; progress lines without delay; no downloads; and no
imports from the working directory or from the home folder, which contain files of others."""


def inherited(environ: Mapping[str, str], *, downloads: bool = False) -> dict[str, str]:
    """Return the variables of `environ` that a job inherits.

    Args:
        environ: The user's environment.
        downloads: Whether the process downloads files, and so needs the variables of DOWNLOADS.
    """
    names = INHERITED | DOWNLOADS if downloads else INHERITED
    return {name: value for name, value in environ.items() if name in names}


def library_folders(home: Path) -> dict[str, str]:
    """Return the variables that make libraries keep their files below `home`."""
    return {name: str(home / folder) for name, folder in LIBRARY_FOLDERS.items()}


def job_environment(scratch: Path, code: Path) -> dict[str, str]:
    """Return the variables of a job.

    Args:
        scratch: The job's working directory.
        code: The run's zip of code.
    """
    compiler = {name: str(scratch / folder) for name, folder in COMPILER_FOLDERS.items()}
    return {**library_folders(scratch / HOME), **compiler, **SETTINGS, "PYTHONPATH": str(code)}


def shell_exports() -> str:
    """Return shell commands that export the variables of a job whose working directory is its scratch
    directory."""
    homes = {name: f"{HOME}/{folder}".rstrip("/") for name, folder in LIBRARY_FOLDERS.items()}
    folders = {**homes, **COMPILER_FOLDERS, "PYTHONPATH": CODE}
    values = {name: f'"$PWD{"/" if folder else ""}{folder}"' for name, folder in folders.items()} | SETTINGS
    return "\n".join(f"export {name}={value}" for name, value in values.items())
