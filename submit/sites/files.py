"""Checks of the files and folders that the settings of a site name, as this machine sees them."""

import shutil
from pathlib import Path

from alignsec.errors import ConfigError
from submit.requests.image_size import local_path
from submit.site import Site


def find_errors(site: Site, path: Path, checkout: Path) -> list[ConfigError]:
    """Return an error for each file that the settings name and that does not exist or was not staged.

    Args:
        site: The site's settings.
        path: The `.env` file.
        checkout: The folder that relative paths are relative to.
    """
    checks = (_image_remedy(site), _python_remedy(site), *_folder_remedies(site, checkout))
    return [
        ConfigError(path=path, field=key, given=f'"{getattr(site, key.lower())}"', remedy=remedy)
        for key, remedy in checks
        if remedy
    ]


def _image_remedy(site: Site) -> tuple[str, str]:
    """Return what is wrong with the container image, if it is a file that this machine would see."""
    found = local_path(site.container_image, site)
    if found is None or found.exists():
        return "CONTAINER_IMAGE", ""
    if site.container_image.startswith("osdf:") and not found.parent.parent.exists():
        return "CONTAINER_IMAGE", ""  # This machine does not mount the staging area.
    return "CONTAINER_IMAGE", f"not found: {found}; build the image (make containers), or correct the path"


def _python_remedy(site: Site) -> tuple[str, str]:
    """Return what is wrong with the Python of jobs without a container."""
    if site.container_image or not site.python or shutil.which(site.python):
        return "PYTHON", ""
    return "PYTHON", "is not a program; set PYTHON to a Python interpreter, or leave it empty"


def _folder_remedies(site: Site, checkout: Path) -> list[tuple[str, str]]:
    """Return errors of folders that are not the ones from which jobs receive the files."""
    remedies = []
    for key, url in (("WEIGHTS", site.weights_url), ("IMAGES", site.images_url)):
        folder = (checkout / getattr(site, key.lower())).resolve()
        if not url:
            continue
        staged = site.profile.staging.local_path(url) if site.profile.staging else None
        if staged is not None and staged.resolve() != folder:
            remedies.append(
                (key, f"is not the folder from which jobs receive the files ({key}_URL={url}); set {key}={staged}")
            )
    return remedies
