"""What an HTTP response says of a file: which bytes of it come, or whether asking again may help."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from submit.weights.retry import Failed, Later

TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Status codes of a server that may answer later (RFC 9110, section 15; RFC 6585 for 429)."""


def refuse_status(url: str, code: int, headers: Mapping[str, str]) -> None:
    """Raises Later for a status code that may pass and Failed for any other that is no success; url is told."""
    if code in TRY_AGAIN:
        raise Later(f"HTTP {code}", retry_after(headers.get("Retry-After")))
    if code in (401, 403):
        raise Failed(f"{url} is not for everyone (HTTP {code}); accept its terms there and set HF_TOKEN")
    if code in (404, 410):
        raise Failed(f"{url} is not there (HTTP {code})")
    if code >= 400:
        raise Failed(f"{url} is refused (HTTP {code})")


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header: a number or a date (RFC 9110, section 10.2.3); None where it is neither."""
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
def network() -> Iterator[None]:
    """Inside, what a connection does wrong is raised as Later; errors of the disk pass."""
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        raise Later(f"no connection: {error}", unreachable=True) from error
    except httpx2.TimeoutException as error:
        raise Later("nothing came for too long") from error
    except httpx2.TransportError as error:
        raise Later(f"the connection was cut: {error}") from error


def whole_length(response: httpx2.Response) -> int | None:
    """Bytes of the file in a whole response; None where the server does not say or packs it."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def part_range(response: httpx2.Response) -> tuple[int, int | None]:
    """Where a part starts, and the bytes of the whole file (RFC 9110, section 14.4).

    -1 where no part was sent; None where the server does not say how long the whole is.
    """
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not found:
        return -1, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def strong_etag(response: httpx2.Response) -> str:
    """What tells this file from a later one at the same address: a strong ETag (RFC 9110, section 13.1.5).

    Empty where there is none.
    """
    etag = response.headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag
