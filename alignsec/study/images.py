"""The images of a study: where they come from and which of them are attacked."""

from glob import glob
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from alignsec.study.fields import ExistingFile, ExistingFolder, Seed, Table


def _matching(value: object, info: ValidationInfo) -> object:
    """The files that a pattern such as `val-*.parquet` stands for, in order; a list is taken as it is."""
    if not isinstance(value, str):
        return value
    # Relative to the study file, as every path is; an absolute pattern stays as it is.
    root = info.context["folder"] if info.context else Path()
    found = sorted(glob(str(root / Path(value).expanduser())))  # noqa: PTH207 - Path.glob refuses absolute patterns
    if not found:
        raise PydanticCustomError("path", "matches no file (looked for {full})", {"full": str(root / value)})
    return found


Shards = Annotated[tuple[ExistingFile, ...], BeforeValidator(_matching), Field(min_length=1)]


class StudyImages(Table):
    """The `[images]` table. Exactly one of `folder`, `archive` and `shards` says where the images are."""

    folder: ExistingFolder | None = None
    """Class folders, or any folder with `labels`."""
    archive: ExistingFile | None = None
    """The same in one plain tar, such as ImageNet's own ILSVRC2012_img_val.tar, which is not unpacked."""
    shards: Shards | None = None
    """Parquet files as the model hub's data sets have them, or webdataset tars: a pattern or a list of files."""
    labels: ExistingFile | None = None
    """Of `folder` or `archive`: a CSV with the columns `file` and `label`, ImageNet's LOC_val_solution.csv, or the
    devkit's ground truth, a line an image. Without it each class is a folder: ImageNet's by WordNet id, others
    in sorted order."""
    count: Annotated[int, Field(ge=1)] | None = None
    """How many images are attacked; all of them where left out."""
    seed: Seed | None = None
    """Decides which images are chosen; the study's seed where left out."""
    stratified: bool = False
    """As many of each class as the count allows."""
    list: ExistingFile | None = None
    """Instead of a count: a file of names, one a line, such as RobustBench's 5000 of ImageNet."""
    corrupted: ExistingFolder | None = None
    """The same images corrupted, cropped and laid out as ImageNet-C: TYPE/SEVERITY/CLASS/FILE. Without it, jobs
    make their own."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = [name for name in ("folder", "archive", "shards") if getattr(self, name) is not None]
        if len(given) != 1:
            told = f"has {' and '.join(given)}" if given else "says not where the images are"
            raise PydanticCustomError("images", "{told}; give one of folder, archive and shards", {"told": told})
        if self.labels and self.shards:
            raise PydanticCustomError("images", "has labels, but shards bring their own; remove labels")
        if self.list and (self.count or self.stratified):
            raise PydanticCustomError("images", "has a list and a count or stratified; the list says it all")
        if self.stratified and not self.count:
            raise PydanticCustomError("images", "is stratified, which needs a count; add count = 1000")
        return self
