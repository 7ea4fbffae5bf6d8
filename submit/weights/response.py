"""HTTP responses: which bytes of a file they contain, and whether an error is temporary."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from submit.weights.retry import DownloadError, TemporaryError

TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Status codes after which a retry may succeed (RFC 9110, section 15; RFC 6585 for 429)."""


def raise_for_status(url: str, code: int, headers: Mapping[str, str]) -> None:
    """Raise an error for a status code that is not a success.

    Args:
        url: The address, for the message.
        code: The HTTP status code.
        headers: The response's headers; Retry-After is used.

    Raises:
        TemporaryError: A retry may succeed.
        DownloadError: A retry would not help.
    """
    if code in TEMPORARY:
        raise TemporaryError(f"HTTP {code}", parse_retry_after(headers.get("Retry-After")))
    if code in (401, 403):
        raise DownloadError(f"{url} needs a permission (HTTP {code}); accept its terms there and set HF_TOKEN")
    if code in (404, 410):
        raise DownloadError(f"{url} not found (HTTP {code})")
    if code >= 400:
        raise DownloadError(f"{url} was refused (HTTP {code})")


def parse_retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which is a number or a date; None if it is neither.

    Reference:
        RFC 9110, section 10.2.3.
    """
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


@contextmanager
def translate_network_errors() -> Iterator[None]:
    """Raise connection errors inside `with` as TemporaryError. Disk errors are not changed."""
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        raise TemporaryError(f"no connection: {error}", unreachable=True) from error
    except httpx2.TimeoutException as error:
        raise TemporaryError("timed out: no data received") from error
    except httpx2.TransportError as error:
        raise TemporaryError(f"connection lost: {error}") from error


def content_length(response: httpx2.Response) -> int | None:
    """Return the bytes of the file in a full response; None if the length is missing or the body is encoded."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def parse_content_range(response: httpx2.Response) -> tuple[int, int | None]:
    """Return the position of a partial response and the bytes of the whole file.

    Returns:
        The position of the first byte, or -1 if the response is not partial; the bytes of the whole file, or None
        if the server does not state them.

    Reference:
        RFC 9110, section 14.4.
    """
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not found:
        return -1, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def strong_etag(response: httpx2.Response) -> str:
    """Return the strong ETag, which changes with the file's content; empty if there is none.

    Reference:
        RFC 9110, section 13.1.5.
    """
    etag = response.headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag
