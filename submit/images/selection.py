"""The images that a study attacks: clean and, if the study has a corrupted image set, corrupted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import corrupted_set
from alignsec.images.pack import Candidate
from alignsec.spec.attack import Attack
from alignsec.study.study import Study
from submit.images import image_set
from submit.images.image_set import Gather


@dataclass(frozen=True)
class Selection:
    """The images to pack for one study."""

    images: list[Candidate]
    corrupted: dict[Attack, list[Candidate]]
    """The same images under each corruption; empty if the jobs corrupt the images themselves."""
    found: int
    """Number of images in the source."""
    gather: Gather | None = None
    """See ImageSet."""
    labels: str = ""
    """A sentence on the origin of the labels."""
    label_classes: int | None = None
    """Number of classes that the models must have; None if the origin of the labels does not determine it."""

    @property
    def classes(self) -> int:
        """The number of classes of the selected images."""
        return len({image.label for image in self.images})

    @classmethod
    def from_study(cls, path: Path, study: Study, errors: list[ConfigError]) -> Self:
        """Find and select a study's images.

        Args:
            path: The study file, for errors.
            study: The study.
            errors: All errors are appended to this list; the images concerned are left out.
        """
        try:
            found = image_set.read_source(study.images)
            images = image_set.select_images(study.images, found, study.seed)
        except ConfigErrors as error:
            errors += error.errors
            return cls([], {}, 0)
        if (count := study.images.count) and count > len(found.images):
            remedy = f"is more than the {len(found.images)} images of the source"
            errors.append(ConfigError(path=path, field="images.count", given=str(count), remedy=remedy))
        corrupted: dict[Attack, list[Candidate]] = {}
        for attack in study.attacks:
            if study.images.corrupted and attack.corruption and attack.severity:
                try:
                    corrupted[attack] = corrupted_set.find_images(
                        study.images.corrupted, attack.corruption, attack.severity, images
                    )
                except ConfigErrors as error:
                    errors += error.errors
        labels, classes = found.origin.describe(found.images), found.origin.classes
        return cls(images, corrupted, len(found.images), found.gather, labels, classes)
