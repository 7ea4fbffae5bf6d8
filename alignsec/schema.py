"""Base class and field types of every validated record: studies, pairs, plans, outcomes, settings."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

SHA256_PATTERN = r"^[0-9a-f]{64}$"
Sha256 = Annotated[str, Field(pattern=SHA256_PATTERN)]
"""A SHA-256 digest in lower-case hexadecimal, as `sha256sum` prints it."""


class StrictModel(BaseModel):
    """An immutable pydantic model that rejects unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
