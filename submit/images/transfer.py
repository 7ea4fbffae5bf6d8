"""Transfer: how a pack of images reaches a job, and whether the pool takes one of its size that way."""

from collections.abc import Sequence
from pathlib import Path

from alignsec.errors import ConfigError
from alignsec.images.pack import Candidate
from submit import chtc
from submit.images.parquet import ParquetRow
from submit.images.selection import Selection
from submit.site import Site

NEXT: dict[chtc.Way, str] = {
    "": "set IMAGES=/staging/NAME/images and IMAGES_URL=osdf:///chtc/staging/NAME/images in .env",
    "osdf": "set IMAGES_URL=file:///staging/NAME/images and REQUIREMENTS=(HasCHTCStaging == true) in .env",
    "file": "choose fewer images",
}


def address(name: str, site: Site) -> str:
    """What a job's transfer list says for a pack: its path below the run folder, or where the site staged it."""
    return f"{site.images_url.rstrip('/')}/{name}" if site.images_url else f"images/{name}"


def errors(study: Path, selection: Selection, site: Site) -> list[ConfigError]:
    """A selection larger than CHTC takes the way it would go; none on another pool."""
    if not site.at_chtc:
        return []
    size = _bytes(selection.images)
    if not (refusal := chtc.refusal(size, site.images_url)):
        return []
    remedy = f"chooses {size / chtc.GB:.1f} GB of images, {refusal}; {NEXT[chtc.transfer_method(site.images_url)]}"
    return [ConfigError(path=study, field="images", remedy=remedy)]


def _bytes(images: Sequence[Candidate]) -> int:
    """Of the encoded images, as far as is known before they are read: rows of parquet count as nothing."""
    return sum(_size(image) for image in images)


def _size(image: Candidate) -> int:
    if image.size is not None:
        return image.size
    return 0 if isinstance(image, ParquetRow) else image.path.stat().st_size
