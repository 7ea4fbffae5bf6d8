"""The examples of docs/api.md run and give the stated results."""

import doctest

from tests.paths import CHECKOUT


def test_the_examples_of_the_api_page_run():
    found = doctest.testfile(
        str(CHECKOUT / "docs" / "api.md"), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert found.attempted >= 20
    assert not found.failed
