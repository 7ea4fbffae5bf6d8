"""The images of a study: their source, and the choice of the attacked images."""

from glob import glob
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from alignsec.study.fields import ExistingFile, ExistingFolder, Seed, StudyTable


def _expand_pattern(value: object, info: ValidationInfo) -> object:
    """Return the sorted files that match a pattern such as `val-*.parquet`; return a list unchanged."""
    if not isinstance(value, str):
        return value
    # Relative to the study file, as every path; an absolute pattern stays absolute.
    root = info.context["folder"] if info.context else Path()
    found = sorted(glob(str(root / Path(value).expanduser())))  # noqa: PTH207 - Path.glob rejects absolute patterns
    if not found:
        raise PydanticCustomError("path", "matches no file (looked for {full})", {"full": str(root / value)})
    return found


Shards = Annotated[tuple[ExistingFile, ...], BeforeValidator(_expand_pattern), Field(min_length=1)]


class StudyImages(StudyTable):
    """The `[images]` table. Exactly one of `folder`, `archive` and `shards` names the source of the images."""

    folder: ExistingFolder | None = None
    """A folder with one folder per class, or any folder together with `labels`."""
    archive: ExistingFile | None = None
    """The same content in one uncompressed tar archive, such as ImageNet's ILSVRC2012_img_val.tar, which is not
    unpacked."""
    shards: Shards | None = None
    """Parquet files as in the model hub's data sets, or webdataset tar files: a pattern or a list of files."""
    labels: ExistingFile | None = None
    """Labels of `folder` or `archive`: a CSV file with the columns `file` and `label`, ImageNet's
    LOC_val_solution.csv, or the devkit's ground truth with one line per image. Default: one folder per class,
    named by ImageNet's WordNet ids or by whole numbers, which are the labels."""
    class_order: Literal["sorted"] | None = None
    """"sorted": class folders with any names are numbered in sorted order, as torchvision's ImageFolder does for
    training. Their number must be the models' number of classes."""
    count: Annotated[int, Field(ge=1)] | None = None
    """Number of attacked images. Default: all images."""
    seed: Seed | None = None
    """Seed of the choice of images. Default: the study's seed."""
    stratified: bool = False
    """Choose the same number of images from each class, as far as the count allows."""
    list: ExistingFile | None = None
    """A file with one image name per line, instead of a count; such as RobustBench's 5000 images of ImageNet."""
    corrupted: ExistingFolder | None = None
    """The same images corrupted, cropped and laid out as in ImageNet-C: TYPE/SEVERITY/CLASS/FILE. Default: the
    jobs generate them."""

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        given = [name for name in ("folder", "archive", "shards") if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"has {' and '.join(given)}" if given else "names no source of images"
            raise PydanticCustomError(
                "images", "{found}; give one of folder, archive and shards", {"found": found}
            )
        if self.class_order and (self.labels or self.shards):
            raise PydanticCustomError("images", "has class_order, which is for class folders only; remove it")
        if self.labels and self.shards:
            raise PydanticCustomError("images", "has labels, but shards contain their labels; remove labels")
        if self.list and (self.count or self.stratified):
            raise PydanticCustomError("images", "has a list together with count or stratified; remove one of them")
        if self.stratified and not self.count:
            raise PydanticCustomError("images", "is stratified, which needs a count; add count = 1000")
        return self
