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


MALFORMED = (
    httpx2.TooManyRedirects,
    httpx2.DecodingError,
    httpx2.InvalidURL,
    httpx2.CookieConflict,
    httpx2.StreamError,
)
"""Exceptions for answers that follow HTTP's form but make no sense, such as redirects in a circle."""
_LONGEST_WAIT = 1e9
"""Seconds. Longer waits that a server asks for are shown as this one."""


def create_client(timeout: float, transport: httpx2.BaseTransport | None = None) -> httpx2.Client:
    """Return a client that follows redirects, except from https to http.

    Args:
        timeout: Longest time in seconds without a byte.
        transport: Sends the requests; None uses the network.
    """
    return httpx2.Client(
        follow_redirects=True,
        timeout=httpx2.Timeout(timeout),
        transport=transport,
        event_hooks={"response": [_refuse_insecure_redirect]},
    )


def _refuse_insecure_redirect(response: httpx2.Response) -> None:
    """Raise DownloadError for a redirect from https to http, which anybody on the way could have written."""
    if response.url.scheme != "https" or not response.has_redirect_location:
        return
    target = response.url.join(response.headers["Location"])
    if target.scheme != "https":
        raise DownloadError(f"{response.url} redirects to {target}, which is not https; use another address")


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
    if code not in {200, 206}:
        raise DownloadError(f"{url} was not answered with a file (HTTP {code})")


def parse_retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which is a number or a date; None if it is neither.

    Reference:
        RFC 9110, section 10.2.3.
    """
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return min(float(value), _LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(value)
        aware = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, (aware - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):  # dates of no calendar
        return None


@contextmanager
def translate_network_errors() -> Iterator[None]:
    """Raise connection errors inside `with` as TemporaryError, and answers that are not HTTP as DownloadError.

    Disk errors are not changed.
    """
    try:
        yield
    except (*MALFORMED, httpx2.UnsupportedProtocol) as error:
        raise DownloadError(f"the server's answer cannot be used: {error or type(error).__name__}") from error
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
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None


def parse_content_range(response: httpx2.Response) -> tuple[int, int | None]:
    """Return the position of a partial response and the bytes of the whole file.

    Returns:
        The position of the first byte, or -1 if the header is missing or contradicts itself; the bytes of the
        whole file, or None if the server does not state them.

    Reference:
        RFC 9110, section 14.4.
    """
    header = response.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", header)
    if not found:
        return -1, None
    first, last, total = int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3])
    return (first, total) if first <= last and (total is None or last < total) else (-1, None)


def strong_etag(response: httpx2.Response) -> str:
    """Return the strong ETag, which changes with the file's content; empty if there is none.

    Reference:
        RFC 9110, section 13.1.5.
    """
    etag = response.headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag
