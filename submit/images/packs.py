"""Packs: a study's selection as the archives its jobs are handed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from alignsec.spec.attack import Attack
from alignsec.spec.pair import File
from submit.images.selection import Selection
from submit.images.store import Store


@dataclass(frozen=True)
class Packs:
    """The packs of one study, in a store."""

    images: File
    corrupted: dict[Attack, File]

    @classmethod
    def write(cls, selection: Selection, store: Store, console: Console | None = None) -> Self:
        """Pack what is not packed yet, with a bar on a terminal. Raises Mistakes, OSError."""
        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=console is None or not console.is_terminal,
            transient=True,
        )
        with bar:
            task = bar.add_task("packing images", total=len(selection.images))
            images = store.pack(selection.images, selection.gather, lambda done: bar.update(task, completed=done))
            corrupted = {}
            for attack, chosen in selection.corrupted.items():
                bar.update(task, description=f"packing {attack.name}", completed=0)
                corrupted[attack] = store.pack(chosen, tell=lambda done: bar.update(task, completed=done))
        return cls(images, corrupted)

    def link(self, store: Store, folder: Path) -> None:
        """Put links to the packs into a run's folder. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        for file in (self.images, *self.corrupted.values()):
            link = folder / file.name
            if store.folder.resolve() != folder.resolve():
                link.unlink(missing_ok=True)
                link.symlink_to((store.folder / file.name).absolute())
