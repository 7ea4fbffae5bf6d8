"""The store of image packs: each selection of images is packed once and reused by every study and run."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from alignsec import atomic, digest
from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate
from alignsec.schema import StrictModel
from alignsec.spec.pair import File
from submit.cache_file import read_cache
from submit.digest_cache import DigestCache
from submit.images.image_set import Gather

CHOICES = "choices.json"
"""The file that records which selection of images each pack contains."""
VERSION: Literal[1] = 1


class _ChoicesFile(StrictModel):
    """The content of CHOICES."""

    schema_version: Literal[1]
    choices: dict[str, File]
    """The pack of each selection of images, by a digest of the selection."""


@dataclass(frozen=True)
class PackStore:
    """A folder of packs, named by digest, with a record of the images in each."""

    folder: Path
    digests: DigestCache

    def find(self, chosen: Sequence[Candidate]) -> File | None:
        """Return the pack of these images, or None if it is missing or damaged.

        Raises:
            OSError: A source file is missing.
        """
        pack = self._read_choices().get(_selection_key(chosen))
        if pack is None or not (path := self.folder / pack.name).is_file():
            return None
        return pack if self.digests.sha256_of_file(path) == pack.sha256 else None

    def pack(
        self,
        chosen: Sequence[Candidate],
        gather: Gather | None = None,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> File:
        """Return the pack of these images. Write it if the store does not have it yet.

        Args:
            chosen: The images.
            gather: Copies the images to a file from which they can be read; None if they can be read directly.
            on_progress: Called with the number of images done.

        Raises:
            ConfigErrors: An error for each image that cannot be used.
            OSError: A file cannot be read or written.
        """
        if pack := self.find(chosen):
            on_progress(len(chosen))
            return pack
        key = _selection_key(chosen)
        if gather is None:
            pack = image_pack.write_pack(chosen, self.folder, on_progress)
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic.temporary_file(self.folder, "spool") as spool:
                pack = image_pack.write_pack(gather(chosen, spool), self.folder, on_progress)
        self.digests.record(self.folder / pack.name, pack.sha256)
        content = _ChoicesFile(schema_version=VERSION, choices={**self._read_choices(), key: pack})
        atomic.write_atomic(self.folder / CHOICES, content.model_dump_json(indent=1).encode())
        return pack

    def _read_choices(self) -> dict[str, File]:
        """Return the recorded packs by selection; none if the file is damaged, so that images are packed again."""
        content = read_cache(self.folder / CHOICES, _ChoicesFile, VERSION)
        return content.choices if content else {}


def _selection_key(chosen: Sequence[Candidate]) -> str:
    """Return a digest of the images' names and labels and of the size and times of change of their files."""
    stats = {path: path.stat() for path in {image.path for image in chosen}}
    files = {str(path): [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for path, stat in stats.items()}
    images = [[*map(str, asdict(image).values())] for image in chosen]
    return digest.sha256_of_json({"images": images, "files": files})
