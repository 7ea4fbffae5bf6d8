"""Transfer of inputs to jobs: where HTCondor gets an input from, and CHTC's size limit for that transfer method.

CHTC accepts inputs below 1 GB as plain paths, 1 to 30 GB by `osdf:///`, and 30 to 100 GB by `file:///staging`.
"""

from pathlib import Path
from typing import Literal

from alignsec.errors import ConfigError
from alignsec.images.pack import Candidate
from submit.images.parquet import ParquetRow
from submit.images.selection import Selection
from submit.site import Site
from submit.validation import ValidatedStudy

GB = 1_000_000_000
TransferMethod = Literal["", "osdf", "file"]
"""How an input reaches a job. Empty: HTCondor copies it from the access point."""
MAX_BYTES: dict[TransferMethod, int] = {"": 1 * GB, "osdf": 30 * GB, "file": 100 * GB}
WEIGHTS_REMEDIES: dict[TransferMethod, str] = {
    "": "stage it with make weights, and set WEIGHTS_URL=osdf:///chtc/staging/NAME/weights in .env",
    "osdf": "set WEIGHTS_URL=file:///staging/NAME/weights and REQUIREMENTS=(HasCHTCStaging == true) in .env",
    "file": "jobs cannot receive a file of this size; choose a smaller model",
}
IMAGES_REMEDIES: dict[TransferMethod, str] = {
    "": "set IMAGES=/staging/NAME/images and IMAGES_URL=osdf:///chtc/staging/NAME/images in .env",
    "osdf": "set IMAGES_URL=file:///staging/NAME/images and REQUIREMENTS=(HasCHTCStaging == true) in .env",
    "file": "choose fewer images",
}


def transfer_method(url: str) -> TransferMethod:
    """Return which transfer method's size limit applies to an input staged at `url`.

    CHTC's pages give no limit for other schemes, such as https; the limit for osdf applies to them.

    Args:
        url: The site's URL; empty if the input is not staged.
    """
    match url.partition(":")[0]:
        case "" | "file" as method:
            return method
        case _:
            return "osdf"


def exceeded_limit(size: int, url: str) -> str:
    """Return which limit an input of `size` bytes staged at `url` exceeds, or an empty string if none."""
    limit = MAX_BYTES[transfer_method(url)]
    if size < limit:
        return ""
    how = f"by {url.partition(':')[0]}://" if url else "as a plain input"
    return f"CHTC accepts less than {limit // GB} GB {how}"


def weights_source(path: Path, relative: str, site: Site, weights: Path) -> str:
    """Return the entry of a weights file in a transfer list.

    Args:
        path: The file in the run folder; it may be a link into `weights`.
        relative: The same path, relative to the run folder.
        site: The site's settings.
        weights: The site's folder of staged weights.

    Returns:
        The URL at which the site staged the file; `relative` if it did not.
    """
    real = path.resolve()
    if site.weights_url and real.parent == weights.resolve() and real.name == path.name:
        return f"{site.weights_url.rstrip('/')}/{path.name}"
    return relative


def pack_source(name: str, site: Site) -> str:
    """Return the entry of an image pack in a transfer list: a URL if the site stages packs, else a relative
    path."""
    return f"{site.images_url.rstrip('/')}/{name}" if site.images_url else f"images/{name}"


def weights_size_errors(validated: ValidatedStudy, site: Site, weights: Path) -> list[ConfigError]:
    """Return an error for each model whose weights are too large for their transfer method; none outside CHTC.

    Args:
        validated: The study.
        site: The site's settings.
        weights: The site's folder of staged weights.
    """
    if not site.at_chtc:
        return []
    errors = []
    for index, model in enumerate(validated.study.models):
        found = validated.weights.get(model.name)
        if found is None:
            continue
        staged = bool(site.weights_url) and found.path.resolve().parent == weights.resolve()
        url = site.weights_url if staged else ""
        if limit := exceeded_limit(found.bytes, url):
            remedy = f"has weights of {found.bytes / GB:.1f} GB; {limit}; {WEIGHTS_REMEDIES[transfer_method(url)]}"
            field, given = f"models[{index}]", f'"{model.name}"'
            errors.append(ConfigError(path=validated.path, field=field, given=given, remedy=remedy))
    return errors


def images_size_errors(study: Path, selection: Selection, site: Site) -> list[ConfigError]:
    """Return an error if the selected images are too large for their transfer method; none outside CHTC."""
    if not site.at_chtc:
        return []
    size = sum(_encoded_bytes(image) for image in selection.images)
    if not (limit := exceeded_limit(size, site.images_url)):
        return []
    remedy = f"selects {size / GB:.1f} GB of images; {limit}; {IMAGES_REMEDIES[transfer_method(site.images_url)]}"
    return [ConfigError(path=study, field="images", remedy=remedy)]


def _encoded_bytes(image: Candidate) -> int:
    """Return the size of an encoded image; 0 for a row of a parquet file, whose size is unknown until it is
    read."""
    if image.size is not None:
        return image.size
    return 0 if isinstance(image, ParquetRow) else image.path.stat().st_size
