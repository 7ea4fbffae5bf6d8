"""Size of the container image, which HTCondor copies into a job's scratch directory.

Reference: CHTC, "Use Apptainer Containers": request_disk must include the image.
"""

from pathlib import Path

from submit.site import Site


def image_mb(site: Site) -> int:
    """Return the disk space that the container image takes on an execute node, in MB.

    The size is, in this order: CONTAINER_IMAGE_MB; that of the file or folder, also if it is in a staging area
    that this machine mounts; the site's assumed size. Docker keeps its images outside the scratch directory.

    Args:
        site: The site's settings.
    """
    if not site.container_image or site.docker_universe:
        return 0
    if site.container_image_mb is not None:
        return site.container_image_mb
    path = local_path(site.container_image, site)
    size = _bytes(path) if path is not None else 0
    return -(-size // 1_000_000) if size else site.profile.image_mb


def local_path(place: str, site: Site) -> Path | None:
    """Return the path of a file given by path or URL if this machine may see it, or None for other URLs."""
    if place.startswith("/"):
        return Path(place)
    staging = site.profile.staging
    found = staging.local_path(place) if staging else None
    return Path(place.removeprefix("file://")) if found is None and place.startswith("file://") else found


def _bytes(path: Path) -> int:
    """Return the size of a file or of all files in a folder; 0 if it does not exist or cannot be read."""
    try:
        if path.is_dir():
            return sum(one.lstat().st_size for one in path.rglob("*") if one.is_file() and not one.is_symlink())
        return path.stat().st_size
    except OSError:
        return 0
