"""A server's strange answer ends the download of one file; all others are finished."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from alignsec import limits
from submit.digest_cache import DigestCache
from submit.weights.download import Download, RemoteFile
from submit.weights.manifest import Manifest
from submit.weights.response import create_client, parse_content_range, parse_retry_after
from submit.weights.retry import DownloadError, RetryPolicy, TemporaryError
from submit.weights.speed import SLOW_SECONDS, SpeedCheck
from submit.weights.staging import WeightsStager
from tests.submit.weights.file_server import FakeTime, Fault, FileServer, safetensors
from tests.submit.weights.raw_server import Answer, run_raw_server

DATA = safetensors()


def head(code: str, *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {code}", *headers, "Connection: close", "", "")).encode("latin-1")


def endless_body() -> Iterator[bytes]:
    yield head("200 OK")
    yield DATA[:100]
    yield from itertools.repeat(bytes(100_000))


def endless_headers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    yield from (f"X-{number}: y\r\n".encode() for number in itertools.count())


LONG = "9" * 5000
STRANGE: dict[str, Answer] = {
    "/redirects-to-itself": head("302 Found", "Location: /redirects-to-itself"),
    "/redirect-without-place": head("302 Found"),
    "/redirects-to-nonsense": head("302 Found", "Location: http://[::1"),
    "/redirects-to-a-file": head("302 Found", "Location: file:///etc/passwd"),
    "/redirects-to-another-scheme": head("302 Found", "Location: gopher://x/y"),
    "/redirects-with-a-huge-port": head("302 Found", "Location: http://127.0.0.1:99999999/"),
    "/waits-for-years": head("429 Too Many", f"Retry-After: {LONG}"),
    "/waits-for-ever": head("503 Busy", "Retry-After: 1" + "0" * 400),
    "/waits-until-a-date-of-no-calendar": head("503 Busy", "Retry-After: Fri, 99 Foo 99999 99:99:99 +9999999"),
    "/long-length": head("200 OK", f"Content-Length: {LONG}") + DATA,
    "/negative-length": head("200 OK", "Content-Length: -5") + DATA,
    "/large-length": head("200 OK", "Content-Length: 999999999999999999") + DATA,
    "/two-lengths": head("200 OK", "Content-Length: 5", "Content-Length: 6") + DATA,
    "/too-short-a-length": head("200 OK", "Content-Length: 100") + DATA,
    "/unrequested-range": head("206 Partial", "Content-Range: bytes 50-99/100", "Content-Length: 50") + DATA[:50],
    "/long-range": head("206 Partial", f"Content-Range: bytes 0-{LONG}/{LONG}") + DATA,
    "/contradicting-range": head("206 Partial", "Content-Range: bytes 9-4/2") + DATA,
    "/no-content": head("204 No Content"),
    "/not-modified": head("304 Not Modified"),
    "/unknown-code": head("299 Odd") + DATA,
    "/code-of-many-digits": head("99999 Odd") + DATA,
    "/damaged-gzip": head("200 OK", "Content-Encoding: gzip") + b"\x1f\x8b" + DATA,
    "/damaged-chunks": head("200 OK", "Transfer-Encoding: chunked") + b"zz\r\n" + DATA,
    "/huge-chunk": head("200 OK", "Transfer-Encoding: chunked") + b"f" * 5000 + b"\r\n" + DATA,
    "/not-http": b"\x00\x01\x02\xff" * 100,
    "/nothing": b"",
    "/endless-body": endless_body,
    "/endless-headers": endless_headers,
}


def test_a_strange_answer_ends_one_download(
    tmp_path: Path, server: FileServer, retry: RetryPolicy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "WEIGHTS_BYTES", 1_000_000)
    good = [server.publish(f"/{number}.safetensors", safetensors(fill=bytes([number]))) for number in (1, 2, 3)]
    with run_raw_server(STRANGE) as url:
        digests = DigestCache(None)
        stager = WeightsStager(tmp_path, digests, retry, "/no/python", {}, server.url, at_once=8, timeout=5)
        strange = [f"{url}{path}" for path in STRANGE]
        results = {result.address: result for result in stager.run([*strange, *good])}
    assert {result.address for result in results.values() if result.staged} == set(good)
    assert all(results[address].reason for address in strange)
    assert set(Manifest.read(tmp_path).weights) == set(good)


def test_an_endless_body_is_not_stored_beyond_the_limit(
    tmp_path: Path, retry: RetryPolicy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "WEIGHTS_BYTES", 300_000)
    with run_raw_server({"/w": endless_body}) as url, create_client(5) as client:
        download = Download(client, RemoteFile(f"{url}/w", "w"), tmp_path / "part", retry)
        with pytest.raises(DownloadError, match="without an end; the limit is"):
            download.run()
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_sends_some_bytes_and_fails_for_ever_is_left(
    tmp_path: Path, server: FileServer, time: FakeTime
):
    """Each attempt receives new bytes, so the number of attempts in a row never grows."""
    url = server.publish("/w", DATA, faults=[Fault(cut_after=1)] * 100)
    retry = RetryPolicy(clock=time.clock, sleep=time.sleep, max_total=20)
    with create_client(5) as client, pytest.raises(DownloadError, match=r"\(20 attempts\)"):
        Download(client, RemoteFile(url, "w"), tmp_path / "part", retry).run()


def test_a_server_that_sends_too_slowly_is_left():
    now = itertools.count(0.0, SLOW_SECONDS / 4)
    check = SpeedCheck(lambda: next(now))
    for _ in range(4):
        check.add(1)
    with pytest.raises(TemporaryError, match="too slow: 5 bytes in 60 s") as caught:
        check.add(1)
    assert caught.value.too_slow


def test_slow_bytes_are_no_progress(time: FakeTime):
    """Otherwise a slow server would be asked again without limit."""
    received = itertools.count(1)
    retry = RetryPolicy(clock=time.clock, sleep=time.sleep)

    def attempt() -> None:
        raise TemporaryError("too slow", too_slow=True)

    with pytest.raises(DownloadError, match=r"too slow \(6 times in a row\)"):
        retry.call("host", attempt, lambda: next(received))


def redirect(url: str, to: str) -> httpx2.Response:
    """Return the answer after a redirect."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(302, headers={"Location": to}) if str(request.url) == url else httpx2.Response(200)

    with create_client(1, httpx2.MockTransport(answer)) as client:
        return client.get(url)


@pytest.mark.parametrize("to", ["http://b.example/w", "HTTP://a.example/w", "ftp://a.example/w"])
def test_a_redirect_from_https_to_another_scheme_is_refused(to: str):
    with pytest.raises(DownloadError, match="which is not https"):
        redirect("https://a.example/w", to)


@pytest.mark.parametrize(
    ("url", "to"),
    [
        ("https://a.example/w", "https://b.example/w"),
        ("https://a.example/w", "/other"),
        ("https://a.example/w", "//b.example/w"),
        ("http://a.example/w", "http://b.example/w"),
        ("http://a.example/w", "https://b.example/w"),
    ],
)
def test_other_redirects_are_followed(url: str, to: str):
    assert redirect(url, to).status_code == 200


@pytest.mark.parametrize("value", ["Fri, 99 Foo 99999 99:99:99 +9999999", "²", "-5"])
def test_a_date_of_no_calendar_is_ignored(value: str):
    assert parse_retry_after(value) is None


def test_a_wait_of_5000_digits_is_a_number():
    assert parse_retry_after(LONG) == 1e9


@pytest.mark.parametrize("header", ["bytes 9-4/20", "bytes 5-9/9", "bytes 5-9/2", f"bytes 0-{LONG}/{LONG}"])
def test_a_range_that_contradicts_itself_is_none(header: str):
    assert parse_content_range(httpx2.Response(206, headers={"Content-Range": header})) == (-1, None)
