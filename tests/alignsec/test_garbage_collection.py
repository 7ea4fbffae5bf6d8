"""Rare collections of cycles, and the threshold afterwards."""

import gc

import pytest

from alignsec.garbage_collection import OBJECTS, rare_collections


def fail_inside() -> None:
    with rare_collections():
        raise ValueError(f"collected after {gc.get_threshold()[0]} objects")


def test_the_threshold_is_restored_after_an_error():
    before = gc.get_threshold()
    with pytest.raises(ValueError, match=f"after {OBJECTS} objects"):
        fail_inside()
    assert gc.get_threshold() == before
