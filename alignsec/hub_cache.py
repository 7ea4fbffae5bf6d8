"""The model hub's cache on disk, read without its library: where a tag's weights lie, if they were fetched."""

from collections.abc import Mapping
from pathlib import Path

FILENAMES = ("model.safetensors", "pytorch_model.bin")
"""In order of preference, as timm looks for them."""


def folder(environ: Mapping[str, str]) -> Path:
    """The cache's folder, by the variables huggingface_hub documents: HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME."""
    if "HF_HUB_CACHE" in environ:
        return Path(environ["HF_HUB_CACHE"])
    if "HF_HOME" in environ:
        return Path(environ["HF_HOME"]) / "hub"
    cache = Path(environ["XDG_CACHE_HOME"]) if "XDG_CACHE_HOME" in environ else Path.home() / ".cache"
    return cache / "huggingface" / "hub"


def weights(cache: Path, repository: str) -> Path | None:
    """The weights of a repository such as `timm/resnet50.a1_in1k` at its last fetched revision, or None."""
    home = cache / ("models--" + repository.replace("/", "--"))
    try:
        revision = (home / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    files = (home / "snapshots" / revision / name for name in FILENAMES)
    return next((file for file in files if file.is_file()), None)
