"""Finding: where a model's weights lie on this machine, before anything is submitted."""

from dataclasses import dataclass, field
from pathlib import Path

from alignsec.catalogue import hub_cache
from alignsec.study.models import StudyModel
from submit.digest_cache import DigestCache
from submit.weights import address as addresses
from submit.weights import file_kind
from submit.weights.file_kind import NoCheckpoint, Unrecognised
from submit.weights.manifest import Manifest


class NotFound(Exception):
    """A model's weights are not here, or are not what they should be; the text is the remedy."""


@dataclass(frozen=True)
class Found:
    """A checkpoint on this machine."""

    path: Path
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Finder:
    """The places weights may lie in, in order: the study's own file, the site's folder, the hub's cache."""

    study: Path
    """The study file, for remedies."""
    hub: Path
    folder: Path | None
    """The site's weights folder."""
    digests: DigestCache
    manifest: Manifest = field(default_factory=Manifest)

    def find(self, model: StudyModel) -> Found:
        """A model's weights, with the digest of the bytes they have now. Raises NotFound."""
        try:
            return self._own(model.weights) if model.weights is not None else self._published(model)
        except OSError as error:
            raise NotFound(f"has weights that cannot be read: {error.filename}: {error.strerror}") from None

    def _own(self, path: Path) -> Found:
        try:
            file_kind.kind(path)
        except Unrecognised:
            pass  # a user's own code may know it
        except NoCheckpoint as why:
            raise NotFound(f"has weights = {path}, which {why}") from None
        return self._at(path)

    def _published(self, model: StudyModel) -> Found:
        again = f"make weights STUDY={self.study} fetches it"
        where = addresses.weights_address(model)
        if self.folder is not None and (staged := self.manifest.weights.get(where)):
            path = self.folder / staged.file
            if not path.is_file():
                raise NotFound(f"has its weights in the manifest, but {path} is not there; {again} again")
            found = self._at(path)
            if found.sha256 != staged.sha256:
                what = f"{found.bytes} bytes of digest {found.sha256[:12]}"
                told = f"the {staged.bytes} bytes of digest {staged.sha256[:12]} that the manifest tells"
                raise NotFound(f"has weights that changed: {path} has {what}, not {told}; {again} again")
            return found
        repository = where.removeprefix(addresses.HUB) if where.startswith(addresses.HUB) else ""
        if (path_in_cache := hub_cache.weights(self.hub, repository)) is None:
            places = " or ".join(str(place) for place in (self.folder, self.hub) if place)
            raise NotFound(f"has no weights in {places}; {again}, or give weights = FILE")
        return self._at(path_in_cache)

    def _at(self, path: Path) -> Found:
        return Found(path, self.digests.sha256_of_file(path), path.stat().st_size)
