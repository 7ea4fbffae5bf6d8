"""The packs of one study: its selected images, clean and corrupted, as the archives that jobs read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console

from alignsec.display import Display
from alignsec.spec.attack import Attack
from alignsec.spec.pair import File
from submit.images.selection import Selection
from submit.images.store import PackStore


@dataclass(frozen=True)
class StudyPacks:
    """The packs of one study in a store."""

    images: File
    """The pack of the clean images."""
    corrupted: dict[Attack, File]
    """The pack of each corruption for which the study has a set of images."""

    @classmethod
    def write(cls, selection: Selection, store: PackStore, console: Console | None = None) -> Self:
        """Pack the images that the store does not hold yet.

        Args:
            selection: the study's images.
            store: where the packs are kept.
            console: where to show the progress; None shows nothing.

        Raises:
            ConfigErrors: images cannot be used.
            OSError: a file cannot be read or written.
        """
        corrupted = {}
        with Display(console) as display:
            display.begin("packing images", len(selection.images), unit="images")
            images = store.pack(selection.images, selection.gather, display.update)
            for attack, chosen in selection.corrupted.items():
                display.begin(f"packing {attack.name}", len(chosen), unit="images")
                corrupted[attack] = store.pack(chosen, on_progress=display.update)
        return cls(images, corrupted)

    def link(self, store: PackStore, folder: Path) -> None:
        """Create symbolic links to the packs in a run's folder.

        Raises:
            OSError: a link cannot be created.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for file in (self.images, *self.corrupted.values()):
            link = folder / file.name
            if store.folder.resolve() != folder.resolve():
                link.unlink(missing_ok=True)
                link.symlink_to((store.folder / file.name).absolute())
