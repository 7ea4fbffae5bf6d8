"""The attacks of a study: the fields of an `[[attacks]]` table, and the file of a user's own attack."""

from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from alignsec import python_file
from alignsec.spec import custom
from alignsec.spec.attack import Attack
from alignsec.study.fields import ExistingFile


class StudyAttack(Attack):
    """An `[[attacks]]` table of a study file."""

    code: ExistingFile | None = None
    """The file of a `python:` method; derived from `method`, never given in a study."""

    @model_validator(mode="before")
    @classmethod
    def _find_code(cls, data: object) -> object:
        """Add the path of the file that the method names."""
        method = data.get("method") if isinstance(data, dict) else None
        if not (isinstance(data, dict) and isinstance(method, str)):
            return data
        if "code" in data:
            raise _error('code must not be given; write method = "python:FILE:CALLABLE"')
        if not custom.is_custom(method):
            return data
        file, _ = python_file.split_name(method)
        if not file:
            raise _error(f'"{method}" is not a callable in a file; write "python:my_attacks.py:attack"')
        return {**data, "code": file}

    @model_validator(mode="after")
    def _check_callable(self) -> Self:
        """Require a file that defines the callable with parameters for the options."""
        if self.code is None:
            return self
        _, function = python_file.split_name(self.method)
        why = python_file.find_definition_error(self.code, self.method)
        if why := why or custom.find_signature_error(self.code, function, self.options):
            raise _error(f'"{self.method}" {why}')
        return self

    def to_pair_attack(self) -> Attack:
        """Return the attack as the jobs of its pairs receive it."""
        if self.code is None:
            method = self.method
        else:
            # The digest of the file identifies it; its name must not change the pair's id.
            method = f"{python_file.SCHEME}{python_file.split_name(self.method)[1]}"
        values = {name: getattr(self, name) for name in Attack.model_fields}
        return Attack.model_construct(self.model_fields_set - {"code"}, **{**values, "method": method})


def _error(why: str) -> PydanticCustomError:
    return PydanticCustomError("attack", "{why}", {"why": why})
