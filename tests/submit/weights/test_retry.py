"""Waiting between the tries of all threads together."""

import pytest

from submit.weights.retry import Failed, Later, Patience
from tests.submit.weights.stand_in import FakeTime


def test_a_wait_is_shared_by_all_files_of_a_host(patience: Patience, time: FakeTime):
    """One thread was told to leave the server alone; another is to leave it alone as well, but no other server."""

    def told() -> None:
        raise Later("HTTP 429", 30.0)

    def interrupted(seconds: float) -> None:
        raise Failed("interrupted")

    patience.sleep = interrupted
    with pytest.raises(Failed, match="interrupted"):
        patience.insist("hub", told)
    patience.sleep = time.sleep
    assert patience.insist("elsewhere", lambda: 1) == 1
    assert time.slept == []
    assert patience.insist("hub", lambda: 2) == 2
    assert time.slept == [30.0]
