"""The inputs on which the project once failed: each has a test, and the copies of the small ones are unchanged."""

import filecmp

import pytest

from tests.paths import CASES, CHECKOUT, SHARED_CASES

needs_cases = pytest.mark.skipif(not SHARED_CASES.exists(), reason="shared/cases is not next to the repository")


@needs_cases
def test_each_case_is_named_in_a_test():
    texts = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "tests").rglob("*.py")]
    names = [path.name for path in SHARED_CASES.iterdir() if path.is_dir()]
    assert names
    assert [name for name in names if not any(name in text for text in texts)] == []


@needs_cases
def test_copies_are_unchanged():
    copies = [path.relative_to(CASES) for path in CASES.rglob("*") if path.is_file()]
    assert copies
    assert [path for path in copies if not filecmp.cmp(CASES / path, SHARED_CASES / path, shallow=False)] == []
