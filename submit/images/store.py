"""The store of packs: each choice of images packed once, whatever study or run asks for it again."""

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
VERSION = 1


@dataclass(frozen=True)
class Store:
    """A folder of packs, named by digest, and which choice of which files each came from."""

    folder: Path
    digests: DigestCache

    def known(self, chosen: Sequence[Candidate]) -> File | None:
        """The pack of these images, if it is here and sound. Raises OSError if a source is gone."""
        found = self._choices().get(_key(chosen))
        pack = File.model_validate(found) if found else None
        if pack is None or not (path := self.folder / pack.name).is_file():
            return None
        return pack if self.digests.sha256_of_file(path) == pack.sha256 else None

    def pack(
        self,
        chosen: Sequence[Candidate],
        gather: Gather | None = None,
        tell: Callable[[int], None] = lambda _: None,
    ) -> File:
        """The pack of some images; they are decoded only where it is not known.

        Raises Mistakes naming every image that cannot be used, OSError.
        """
        if pack := self.known(chosen):
            tell(len(chosen))
            return pack
        key = _key(chosen)
        if gather is None:
            pack = image_pack.write(chosen, self.folder, tell)
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic.aside(self.folder, "spool") as spool:
                pack = image_pack.write(gather(chosen, spool), self.folder, tell)
        self.digests.know(self.folder / pack.name, pack.sha256)
        choices = {**self._choices(), key: pack.model_dump()}
        content = {"schema_version": VERSION, "choices": choices}
        atomic.write(self.folder / CHOICES, json.dumps(content, indent=1).encode())
        return pack

    def _choices(self) -> dict[str, dict[str, str]]:
        """What is known; a damaged file is nothing known, and images are packed again."""
        try:
            content = json.loads((self.folder / CHOICES).read_bytes())
            found: dict[str, dict[str, str]] = content["choices"] if content["schema_version"] == VERSION else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return found


def _key(chosen: Sequence[Candidate]) -> str:
    """Of names, labels, and the files as they are now: another size or time of change is another choice."""
    stats = {path: path.stat() for path in {image.path for image in chosen}}
    files = {str(path): [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for path, stat in stats.items()}
    images = [[*map(str, asdict(image).values())] for image in chosen]
    return digest.sha256_of_json({"images": images, "files": files})
