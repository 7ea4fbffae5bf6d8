"""Custom attacks: a user's own function, or one of another library, as an attack of a study.

`method = "python:FILE:CALLABLE"` in a study, `"python:CALLABLE"` in a pair, whose file is known by its digest. The
callable has one of two forms and receives every argument by keyword:

    attack(classifier, images, labels, norm, eps, **options) -> images
    attack(classifier, images, labels, norm, **options) -> images

The first form is called for each budget. The second form has no `eps`: it is called once, searches for the
smallest perturbation, and its images are judged at every budget. A form may also have the parameter `seeds`, one
integer per image.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from alignsec import python_file
from alignsec.errors import nearest

GIVEN = ("classifier", "images", "labels", "norm")
"""Parameters that every callable must have."""
OFFERED = ("eps", "seeds")
"""Parameters that a callable may have, and then receives."""


def is_custom(method: str) -> bool:
    """Return True if a method names a callable."""
    return method.startswith(python_file.SCHEME)


def find_error(method: str, implementation: str) -> str | None:
    """Return why an attack with options, or with a callable, is invalid, or None."""
    if not is_custom(method):
        return f'has options, which {method} does not use; only method = "python:FILE:CALLABLE" does'
    if not method.rpartition(":")[2].isidentifier():
        return f'has the method "{method}", which names no callable; write "python:my_attacks.py:attack"'
    if implementation == "reference":
        return 'has implementation = "reference", which a custom attack does not have; remove it'
    return None


def find_signature_error(file: Path, function: str, options: Mapping[str, object]) -> str | None:
    """Return why the callable cannot be called with these options, or None. The file is parsed, not run.

    A callable that the file imports or assigns is checked only in the job.
    """
    arguments = python_file.find_parameters(file, function)
    if arguments is None:
        return None
    positional = [*arguments.posonlyargs, *arguments.args]
    required = positional[: len(positional) - len(arguments.defaults)]
    required += [
        one for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None
    ]
    names = [one.arg for one in (*positional, *arguments.kwonlyargs)]
    if arguments.posonlyargs:
        return f"{function} has positional-only parameters; all arguments are passed by keyword"
    return find_call_error(
        function, names, [one.arg for one in required], options, any_name=arguments.kwarg is not None
    )


def find_call_error(
    function: str,
    parameters: Collection[str],
    required: Collection[str],
    options: Collection[str],
    *,
    any_name: bool,
) -> str | None:
    """Return why a callable with these parameters cannot be called, or None.

    Args:
        function: Name of the callable.
        parameters: Names of its parameters.
        required: Names of the parameters without a default.
        options: Names of the study's options.
        any_name: Whether it accepts keyword arguments of any name.
    """
    if lacking := [name for name in GIVEN if name not in parameters and not any_name]:
        return f"{function} has no parameter {', '.join(lacking)}; expected ({', '.join(GIVEN)}, eps, **options)"
    if taken := [name for name in options if name in {*GIVEN, *OFFERED}]:
        return f"options name {', '.join(taken)}, which the evaluation passes itself; remove it"
    if unknown := [name for name in options if name not in parameters and not any_name]:
        own = sorted({*parameters} - {*GIVEN, *OFFERED})
        remedy = nearest(unknown[0], own) if own else "remove the option"
        return f"{function} has no parameter {unknown[0]}; {remedy}"
    if missing := [name for name in required if name not in {*GIVEN, *OFFERED, *options}]:
        return f"{function} needs {', '.join(missing)}; set options = {{ {missing[0]} = ... }}"
    return None
