"""The manifest of the site's weights folder: which file holds what was published where."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from alignsec import atomic
from alignsec.errors import ConfigErrors
from alignsec.schema import Sha256, StrictModel

NAME = "manifest.json"
Bytes = Annotated[int, Field(ge=1)]


class PublishedFile(StrictModel):
    """A file as it was fetched, before anything was made of it."""

    url: str
    revision: str = ""
    """The hub's commit; empty for a plain address."""
    name: str
    sha256: Sha256
    bytes: Bytes


class Staged(StrictModel):
    """A file in the weights folder."""

    file: Annotated[str, Field(pattern=r"^weights-[0-9a-f]{12}\.[a-z0-9]{1,12}$")]
    sha256: Sha256
    bytes: Bytes
    published: PublishedFile
    """Its digest is another one where the file was rewritten as safetensors."""
    rewritten: bool = False
    fetched: str
    """UTC, ISO 8601."""


class Manifest(StrictModel):
    """Everything in the folder, by the address it was fetched from."""

    schema_version: Literal[1] = 1
    weights: dict[str, Staged] = {}

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The folder's manifest; an empty one where there is none. Raises Mistakes."""
        path = folder / NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        except OSError as error:
            remedy = f"cannot be read: {error.strerror}"
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            if first["loc"] == ("schema_version",):
                remedy = (
                    f"is of version {first['input']}, which this alignsec does not read; use the one that wrote it"
                )
            else:
                remedy = f"was changed or cut short ({place}: {first['msg']}); move it away and make weights again"
        raise ConfigErrors.about(path, remedy)

    def write(self, folder: Path) -> None:
        """Write it, aside and renamed. Raises OSError."""
        atomic.write(folder / NAME, self.model_dump_json(indent=1).encode())

    def with_one(self, address: str, staged: Staged) -> "Manifest":
        """The manifest with one more entry, in order of addresses."""
        return Manifest(weights=dict(sorted({**self.weights, address: staged}.items())))
