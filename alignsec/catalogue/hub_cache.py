"""The model hub's cache on disk, read without the hub's library."""

from collections.abc import Mapping
from pathlib import Path
from string import Template

FILENAMES = ("model.safetensors", "pytorch_model.bin")
"""Names of weights files in timm's order of preference."""


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the cache folder, from the environment variables that huggingface_hub reads; $NAME and ~ are
    expanded."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if name in environ:
            return _expand(environ[name], environ)
    if "HF_HOME" in environ:
        return _expand(environ["HF_HOME"], environ) / "hub"
    cache = _expand(environ["XDG_CACHE_HOME"], environ) if "XDG_CACHE_HOME" in environ else Path.home() / ".cache"
    return cache / "huggingface" / "hub"


def _expand(text: str, environ: Mapping[str, str]) -> Path:
    return Path(Template(text).safe_substitute(environ)).expanduser()


def find_weights(cache: Path, repository: str) -> Path | None:
    """Return the weights file of a repository at its last downloaded revision, or None.

    Args:
        cache: The cache folder.
        repository: A repository such as `timm/resnet50.a1_in1k`.
    """
    home = cache / ("models--" + repository.replace("/", "--"))
    try:
        revision = (home / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    files = (home / "snapshots" / revision / name for name in FILENAMES)
    return next((file for file in files if file.is_file()), None)
