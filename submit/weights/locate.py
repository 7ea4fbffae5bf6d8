"""Locating a model's weights on this machine before submission."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from alignsec.catalogue import hub_cache
from alignsec.study.models import StudyModel
from submit.digest_cache import DigestCache
from submit.weights import address as addresses
from submit.weights import file_format
from submit.weights.file_format import InvalidWeightsError, UnknownFormatError
from submit.weights.manifest import Manifest


class WeightsNotFoundError(Exception):
    """A model's weights are missing or invalid; the message is the remedy."""


@dataclass(frozen=True)
class LocatedWeights:
    """A weights file on this machine."""

    path: Path
    sha256: str
    bytes: int
    published_sha256: str = ""
    """Digest of the published file, which a conversion changes; empty if the file was not downloaded."""


@dataclass(frozen=True)
class WeightsLocator:
    """A search for weights in three places, in order: the study's own file, the site's folder, the hub's cache."""

    study: Path
    """The study file, for remedies."""
    hub: Path
    """The hub's cache."""
    folder: Path | None
    """The site's weights folder; None if it has none."""
    digests: DigestCache
    manifest: Manifest = field(default_factory=Manifest)
    """The manifest of the site's weights folder."""

    def locate(self, model: StudyModel) -> LocatedWeights:
        """Return a model's weights with the digest of their present bytes.

        Raises:
            WeightsNotFoundError: The weights are missing or invalid.
        """
        try:
            found = self._locate_own(model.weights) if model.weights is not None else self._locate_published(model)
        except OSError as error:
            remedy = f"has weights that cannot be read: {error.filename}: {error.strerror}"
            raise WeightsNotFoundError(remedy) from None
        actual = found.published_sha256 or found.sha256
        if model.weights_sha256 not in {None, actual}:
            remedy = f"has weights {found.path} with the digest {actual}, which is not weights_sha256; correct one"
            raise WeightsNotFoundError(remedy)
        return found

    def _locate_own(self, path: Path) -> LocatedWeights:
        try:
            file_format.detect_format(path)
        except UnknownFormatError:
            pass  # A user's own code may read it.
        except InvalidWeightsError as reason:
            raise WeightsNotFoundError(f"has weights = {path}, which {reason}") from None
        return self._measure(path)

    def _locate_published(self, model: StudyModel) -> LocatedWeights:
        download = f"run make weights STUDY={self.study}"
        address = addresses.weights_address(model)
        if self.folder is not None and (staged := self.manifest.weights.get(address)):
            path = self.folder / staged.file
            if not path.is_file():
                raise WeightsNotFoundError(f"has weights in the manifest, but {path} is missing; {download}")
            found = self._measure(path)
            if found.sha256 != staged.sha256:
                actual = f"{found.bytes} bytes with digest {found.sha256[:12]}"
                expected = f"{staged.bytes} bytes with digest {staged.sha256[:12]}"
                remedy = f"has weights that changed: {path} has {actual}, the manifest {expected}; {download}"
                raise WeightsNotFoundError(remedy)
            return replace(found, published_sha256=staged.published.sha256)
        repository = address.removeprefix(addresses.HUB) if address.startswith(addresses.HUB) else ""
        if (path_in_cache := hub_cache.find_weights(self.hub, repository)) is None:
            places = " or ".join(str(place) for place in (self.folder, self.hub) if place)
            raise WeightsNotFoundError(f"has no weights in {places}; {download}, or set weights = FILE")
        return self._measure(path_in_cache)

    def _measure(self, path: Path) -> LocatedWeights:
        return LocatedWeights(path, self.digests.sha256_of_file(path), path.stat().st_size)
