"""The manifest of the site's weights folder: which file was downloaded from which address."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from alignsec import atomic, bounded, limits
from alignsec.errors import ConfigErrors
from alignsec.schema import Sha256, StrictModel

NAME = "manifest.json"
Bytes = Annotated[int, Field(ge=1)]


class PublishedFile(StrictModel):
    """A file as it was downloaded, before any conversion."""

    url: str
    revision: str = ""
    """The commit on the hub; empty for a plain URL."""
    name: str
    sha256: Sha256
    bytes: Bytes


class StagedFile(StrictModel):
    """A file in the weights folder."""

    file: Annotated[str, Field(pattern=r"^weights-[0-9a-f]{12}\.[a-z0-9]{1,12}$")]
    sha256: Sha256
    bytes: Bytes
    published: PublishedFile
    """Its digest differs from `sha256` if the file was converted to safetensors."""
    rewritten: bool = False
    """True if the file was converted to safetensors."""
    fetched: str
    """Time of the download in UTC, ISO 8601."""


class Manifest(StrictModel):
    """All files of the folder, by the address from which they were downloaded."""

    schema_version: Literal[1] = 1
    weights: dict[str, StagedFile] = {}

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Return the folder's manifest; an empty one if there is none.

        Raises:
            ConfigErrors: The manifest cannot be read, is damaged, or has another version.
        """
        path = folder / NAME
        try:
            return cls.model_validate_json(bounded.read_bytes(path, limits.MANIFEST_BYTES))
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        except OSError as error:
            remedy = f"cannot be read: {error.strerror}"
        except bounded.TooLargeError as error:
            remedy = str(error)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the file"
            if first["loc"] == ("schema_version",):
                remedy = (
                    f"has version {first['input']}, which this version of alignsec cannot read; "
                    "use the alignsec that wrote it"
                )
            else:
                remedy = f"is damaged ({field}: {first['msg']}); move it elsewhere and run make weights again"
        raise ConfigErrors.about(path, remedy)

    def write(self, folder: Path) -> None:
        """Write the manifest to a temporary name and rename it.

        Raises:
            OSError: The file cannot be written.
        """
        atomic.write_atomic(folder / NAME, self.model_dump_json(indent=1).encode())

    def with_file(self, address: str, staged: StagedFile) -> "Manifest":
        """Return a copy with one more file, sorted by address."""
        return Manifest(weights=dict(sorted({**self.weights, address: staged}.items())))
