"""The store of image packs: each selection of images is packed once and reused by every study and run."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from alignsec import atomic, digest
from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate
from alignsec.spec.pair import File
from submit.digest_cache import DigestCache
from submit.images.image_set import Gather

CHOICES = "choices.json"
"""The file that records which selection of images each pack contains."""
VERSION = 1


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
        found = self._read_choices().get(_selection_key(chosen))
        pack = File.model_validate(found) if found else None
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
        choices = {**self._read_choices(), key: pack.model_dump()}
        content = {"schema_version": VERSION, "choices": choices}
        atomic.write_atomic(self.folder / CHOICES, json.dumps(content, indent=1).encode())
        return pack

    def _read_choices(self) -> dict[str, dict[str, str]]:
        """Return the recorded packs by selection; none if the file is damaged, so that images are packed again."""
        try:
            content = json.loads((self.folder / CHOICES).read_bytes())
            found: dict[str, dict[str, str]] = content["choices"] if content["schema_version"] == VERSION else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return found


def _selection_key(chosen: Sequence[Candidate]) -> str:
    """Return a digest of the images' names and labels and of the size and times of change of their files."""
    stats = {path: path.stat() for path in {image.path for image in chosen}}
    files = {str(path): [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for path, stat in stats.items()}
    images = [[*map(str, asdict(image).values())] for image in chosen]
    return digest.sha256_of_json({"images": images, "files": files})
