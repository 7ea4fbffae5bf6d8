"""Servers that publish weights, and a patience that costs no time."""

from collections.abc import Iterator

import pytest

from submit.weights.retry import Patience
from tests.submit.weights import stand_in
from tests.submit.weights.stand_in import FakeTime, StandIn


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A server on this machine; nothing is sent through a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with stand_in.serving() as serving:
        yield serving


@pytest.fixture
def time() -> FakeTime:
    """The clock of `patience`."""
    return FakeTime()


@pytest.fixture
def patience(time: FakeTime) -> Patience:
    """Waits by the fake clock."""
    return Patience(clock=time.clock, sleep=time.sleep)
