"""Headers of HTTP responses."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from submit.weights.response import content_length, parse_content_range, parse_retry_after, strong_etag


def test_retry_after_is_a_number_or_a_date():
    assert parse_retry_after(None) is None
    assert parse_retry_after("12") == 12
    assert parse_retry_after("soon") is None
    in_a_minute = parse_retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert in_a_minute is not None
    assert 50 < in_a_minute <= 60
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({"Content-Length": "12"}, 12),
        ({}, None),
        ({"Content-Length": "²"}, None),
        ({"Content-Length": "12", "Content-Encoding": "gzip"}, None),
    ],
)
def test_a_length_that_is_not_the_files_is_ignored(headers: dict[str, str], length: int | None):
    encoded = {name: value.encode() for name, value in headers.items()}
    assert content_length(httpx2.Response(200, headers=encoded)) == length


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes 5-9/20", (5, 20)),
        ("bytes 5-9/*", (5, None)),
        ("bytes */20", (-1, None)),
        ("pages 5-9/20", (-1, None)),
        ("", (-1, None)),
    ],
)
def test_the_range_of_a_partial_response(header: str, found: tuple[int, int | None]):
    assert parse_content_range(httpx2.Response(206, headers={"Content-Range": header})) == found


def test_a_weak_etag_is_ignored():
    """Two files with the same weak ETag may differ, so that their parts must not be combined."""
    assert strong_etag(httpx2.Response(200, headers={"ETag": '"one"'})) == '"one"'
    assert strong_etag(httpx2.Response(200, headers={"ETag": 'W/"one"'})) == ""
    assert strong_etag(httpx2.Response(200)) == ""
