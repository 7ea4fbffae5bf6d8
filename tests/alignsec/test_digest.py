"""Digests of bytes, files and JSON values."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignsec import digest

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def test_known_digest():
    """The example of FIPS 180-2."""
    assert digest.sha256_of_bytes(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path):
    data = bytes(range(256)) * 5000
    (tmp_path / "f").write_bytes(data)
    assert digest.sha256_of_file(tmp_path / "f") == hashlib.sha256(data).hexdigest()


@given(st.dictionaries(st.text(max_size=4), json_values, max_size=5))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]):
    assert digest.sha256_of_json(dict(reversed(value.items()))) == digest.sha256_of_json(value)


def test_different_values_have_different_digests():
    values: list[object] = [1, 1.0, "1", [1], {"1": 1}, None, True, [], {}, "", [1, 2], [2, 1]]
    assert len({digest.sha256_of_json(value) for value in values}) == len(values)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]])
def test_nan_and_infinity_are_rejected(value: object):
    with pytest.raises(ValueError, match="JSON"):
        digest.sha256_of_json(value)
