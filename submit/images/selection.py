"""The selection: the images that a study attacks, clean and, where it has a set of them, corrupted."""

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
    """What there is to pack."""

    images: list[Candidate]
    corrupted: dict[Attack, list[Candidate]]
    """The same images under each corruption; empty where jobs make them."""
    found: int
    """How many images there were to choose from."""
    gather: Gather | None = None

    @property
    def classes(self) -> int:
        """How many classes the images are of."""
        return len({image.label for image in self.images})

    @classmethod
    def of(cls, path: Path, study: Study, errors: list[ConfigError]) -> Self:
        """Find and choose. What is wrong is added to the errors, and left out."""
        try:
            found = image_set.read(study.images)
            images = image_set.chosen(study.images, found, study.seed)
        except ConfigErrors as error:
            errors += error.errors
            return cls([], {}, 0)
        if (count := study.images.count) and count > len(found.images):
            remedy = f"is more than the {len(found.images)} images"
            errors.append(ConfigError(path=path, field="images.count", given=str(count), remedy=remedy))
        corrupted = {}
        for attack in study.attacks:
            if study.images.corrupted and attack.corruption and attack.severity:
                try:
                    corrupted[attack] = corrupted_set.find(
                        study.images.corrupted, attack.corruption, attack.severity, images
                    )
                except ConfigErrors as error:
                    errors += error.errors
        return cls(images, corrupted, len(found.images), found.gather)
