"""Settings of the engine."""

import pytest

from alignsec.engine import Settings


@pytest.mark.parametrize("slots", [0, -1])
def test_there_must_be_a_slot(slots):
    with pytest.raises(ValueError, match=f"slots must be at least 1, got {slots}"):
        Settings(slots=slots)
