"""Transfer of inputs to jobs: where HTCondor gets an input from, and the site's size limit for that method."""

from pathlib import Path

from alignsec.errors import ConfigError
from alignsec.images.pack import Candidate
from submit.images.parquet import ParquetRow
from submit.images.selection import Selection
from submit.site import Site
from submit.sites.profile import TransferClass, TransferScheme
from submit.validation import ValidatedStudy

GB = 1_000_000_000


def transfer_scheme(url: str) -> TransferScheme:
    """Return which transfer method's size limit applies to an input staged at `url`.

    Sites give no limit for other schemes, such as https; the limit for osdf applies to them.

    Args:
        url: The URL in the site's settings; empty if the input is not staged.
    """
    match url.partition(":")[0]:
        case "" | "file" as scheme:
            return scheme
        case _:
            return "osdf"


def exceeded_limit(size: int, url: str, site: Site) -> TransferClass | None:
    """Return the limit that an input of `size` bytes staged at `url` exceeds, or None."""
    limit = site.profile.transfer_class(transfer_scheme(url))
    return limit if limit and size >= limit.below_gb * GB else None


def _describe_limit(limit: TransferClass, url: str, site: Site) -> str:
    how = f"by {url.partition(':')[0]}://" if url else "as a plain input"
    return f"{site.profile.title} accepts less than {limit.below_gb} GB {how}"


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
    """Return an error for each model whose weights are too large for their transfer method at the site.

    Args:
        validated: The study.
        site: The site's settings.
        weights: The site's folder of staged weights.
    """
    errors = []
    for index, model in enumerate(validated.study.models):
        found = validated.weights.get(model.name)
        if found is None:
            continue
        staged = bool(site.weights_url) and found.path.resolve().parent == weights.resolve()
        url = site.weights_url if staged else ""
        if limit := exceeded_limit(found.bytes, url, site):
            reason = _describe_limit(limit, url, site)
            remedy = f"has weights of {found.bytes / GB:.1f} GB; {reason}; {limit.weights_remedy}"
            field, given = f"models[{index}]", f'"{model.name}"'
            errors.append(ConfigError(path=validated.path, field=field, given=given, remedy=remedy))
    return errors


def images_size_errors(study: Path, selection: Selection, site: Site) -> list[ConfigError]:
    """Return an error if the selected images are too large for their transfer method at the site."""
    size = sum(encoded_bytes(image) for image in selection.images) if site.profile.transfer else 0
    if not (limit := exceeded_limit(size, site.images_url, site)):
        return []
    reason = _describe_limit(limit, site.images_url, site)
    remedy = f"selects {size / GB:.1f} GB of images; {reason}; {limit.images_remedy}"
    return [ConfigError(path=study, field="images", remedy=remedy)]


def encoded_bytes(image: Candidate) -> int:
    """Return the size of an encoded image; 0 for a row of a parquet file, whose size is unknown until it is
    read."""
    if image.size is not None:
        return image.size
    return 0 if isinstance(image, ParquetRow) else image.path.stat().st_size
