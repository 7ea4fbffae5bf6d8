"""The model hub's cache on disk, read without its library: where a tag's weights lie, if they were fetched."""

from collections.abc import Mapping
from pathlib import Path
from string import Template

FILENAMES = ("model.safetensors", "pytorch_model.bin")
"""In order of preference, as timm looks for them."""


def folder(environ: Mapping[str, str]) -> Path:
    """The cache's folder, by the variables huggingface_hub reads, with $NAME and ~ in them replaced."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if name in environ:
            return _path(environ[name], environ)
    if "HF_HOME" in environ:
        return _path(environ["HF_HOME"], environ) / "hub"
    cache = _path(environ["XDG_CACHE_HOME"], environ) if "XDG_CACHE_HOME" in environ else Path.home() / ".cache"
    return cache / "huggingface" / "hub"


def _path(text: str, environ: Mapping[str, str]) -> Path:
    return Path(Template(text).safe_substitute(environ)).expanduser()


def weights(cache: Path, repository: str) -> Path | None:
    """The weights of a repository such as `timm/resnet50.a1_in1k` at its last fetched revision, or None."""
    home = cache / ("models--" + repository.replace("/", "--"))
    try:
        revision = (home / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    files = (home / "snapshots" / revision / name for name in FILENAMES)
    return next((file for file in files if file.is_file()), None)
