"""What an HTTP response says of a file."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from submit.weights.response import part_range, retry_after, strong_etag, whole_length


def test_retry_after_is_a_number_or_a_date():
    assert retry_after(None) is None
    assert retry_after("12") == 12
    assert retry_after("soon") is None
    in_a_minute = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert in_a_minute is not None
    assert 50 < in_a_minute <= 60
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({"Content-Length": "12"}, 12),
        ({}, None),
        ({"Content-Length": "²"}, None),
        ({"Content-Length": "12", "Content-Encoding": "gzip"}, None),
    ],
)
def test_a_length_that_is_not_the_files_is_none(headers: dict[str, str], length: int | None):
    encoded = {name: value.encode() for name, value in headers.items()}
    assert whole_length(httpx2.Response(200, headers=encoded)) == length


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("bytes 5-9/20", (5, 20)),
        ("bytes 5-9/*", (5, None)),
        ("bytes */20", (-1, None)),
        ("pages 5-9/20", (-1, None)),
        ("", (-1, None)),
    ],
)
def test_a_part_says_where_it_starts(said: str, found: tuple[int, int | None]):
    assert part_range(httpx2.Response(206, headers={"Content-Range": said})) == found


def test_a_weak_tag_is_none():
    """Bytes may differ under one, and halves of two files would not fit."""
    assert strong_etag(httpx2.Response(200, headers={"ETag": '"one"'})) == '"one"'
    assert strong_etag(httpx2.Response(200, headers={"ETag": 'W/"one"'})) == ""
    assert strong_etag(httpx2.Response(200)) == ""
