"""The records of attack components."""

from pkgutil import resolve_name

import pytest

from alignsec.engine.table import Table
from alignsec.spec.components import AUTOATTACK, COMPONENTS, STANDARD, Breaker, Component, breakers, methods
from alignsec.spec.verdicts import MENDED, ROBUST, UNAUDITED, WRONG, broken_letters, legend


def test_names_and_letters_are_unique():
    letters = [ROBUST, WRONG, MENDED, UNAUDITED, *broken_letters()]
    assert len({*letters}) == len(letters)
    assert all(name == component.name for name, component in COMPONENTS.items())
    assert len({breaker.name for breaker in breakers()}) == len(breakers())


def test_the_letters_of_existing_outcome_files_are_pinned():
    assert {breaker.name: breaker.letter for breaker in breakers()} == {
        "apgd-ce": "c",
        "apgd-t": "t",
        "fab-t": "f",
        "square": "s",
        "apgd-dlr": "d",
        "fab": "b",
        "apgd-ce-eot": "C",
        "apgd-dlr-eot": "D",
        "corruption": "x",
        "custom": "p",
    }
    assert "".join(legend()) == "RWmctfsdbCDxpU"


def test_methods_are_the_sequences_and_every_single_component():
    versions = ["autoattack", "autoattack-plus", "autoattack-rand"]
    assert list(methods()) == ["clean", "corruption", *versions, *COMPONENTS]
    assert methods()["autoattack"] == AUTOATTACK
    assert methods()["fab-t"] == ("fab-t",)


@pytest.mark.parametrize("component", COMPONENTS.values(), ids=COMPONENTS)
def test_a_record_names_existing_implementations(component: Component):
    """Expect that every path can be imported and that every parameter has a standard value."""
    for norm in ("Linf", "L2", "L1"):
        assert issubclass(resolve_name(component.table_path(norm)), Table)
        assert all(component.standard(parameter, norm) > 0 for parameter in component.parameters)
    assert component.reference is not None
    assert callable(resolve_name(component.reference.run))
    assert {*component.parameters} <= {*STANDARD}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Two Words"}, "must be lower-case words joined by hyphens"),
        ({"letter": "é"}, "must be one ASCII letter"),
        ({"letter": "ab"}, "must be one ASCII letter"),
        ({"colour": "red"}, "must have the form #d55e00"),
    ],
)
def test_a_record_that_cannot_be_written_is_rejected(changes: dict[str, str], message: str):
    fields = {"name": "toy", "letter": "y", "label": "Toy", "colour": "#000000", **changes}
    with pytest.raises(ValueError, match=message):
        Breaker(**fields)
