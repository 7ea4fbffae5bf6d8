"""The source `python:FILE:CALLABLE`: a user's function or class that builds the network; only jobs run it."""

from alignsec import python_file
from alignsec.catalogue.model_info import ModelInfo, UnknownModelError


def read_model_info(name: str) -> ModelInfo:
    """Return a model without published properties.

    Raises:
        UnknownModelError: If the name does not have the form FILE:CALLABLE.
    """
    if not python_file.split_name(name)[0]:
        raise UnknownModelError('is not a callable in a file; write "python:my_models.py:build"')
    return ModelInfo(makes_weights=True)
