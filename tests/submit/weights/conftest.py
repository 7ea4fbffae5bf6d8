"""Fixtures: a server that publishes weights, and a retry policy that takes no time."""

from collections.abc import Iterator

import pytest

from submit.weights.retry import RetryPolicy
from tests.submit.weights import file_server
from tests.submit.weights.file_server import FakeTime, FileServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server on this machine, reached without a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with file_server.run_server() as running:
        yield running


@pytest.fixture
def time() -> FakeTime:
    """The clock of `retry`."""
    return FakeTime()


@pytest.fixture
def retry(time: FakeTime) -> RetryPolicy:
    """A policy that waits by the fake clock."""
    return RetryPolicy(clock=time.clock, sleep=time.sleep)
