"""Retries that all threads share."""

import pytest

from submit.weights.retry import DownloadError, RetryPolicy, TemporaryError
from tests.submit.weights.file_server import FakeTime


def test_a_wait_is_shared_by_all_files_of_a_host(retry: RetryPolicy, time: FakeTime):
    """A server asked one thread to wait. Other threads wait for this server too, but not for other servers."""

    def fail() -> None:
        raise TemporaryError("HTTP 429", 30.0)

    def interrupted(seconds: float) -> None:
        raise DownloadError("interrupted")

    retry.sleep = interrupted
    with pytest.raises(DownloadError, match="interrupted"):
        retry.call("hub", fail)
    retry.sleep = time.sleep
    assert retry.call("elsewhere", lambda: 1) == 1
    assert time.slept == []
    assert retry.call("hub", lambda: 2) == 2
    assert time.slept == [30.0]
