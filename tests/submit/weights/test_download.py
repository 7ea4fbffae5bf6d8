"""Downloads of one file over HTTP from a server with faults."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from alignsec import digest
from submit.weights.download import Download, RemoteFile
from submit.weights.retry import DownloadError, RetryPolicy
from tests.submit.weights.file_server import FakeTime, Fault, FileServer, safetensors

DATA = safetensors()
PATH = "/w.safetensors"


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(follow_redirects=True, timeout=5) as client:
        yield client


@pytest.fixture
def download(server: FileServer, client: httpx2.Client, retry: RetryPolicy, tmp_path: Path) -> Download:
    """A download of DATA, published at PATH."""
    url = server.publish(PATH, DATA)
    return Download(client, RemoteFile(url, "w.safetensors"), tmp_path / "part", retry)


def fails(download: Download) -> str:
    with pytest.raises(DownloadError) as caught:
        download.run()
    return str(caught.value)


def test_a_file_is_downloaded_and_its_digest_returned(download: Download):
    calls: list[tuple[int, int | None]] = []
    download.on_bytes = lambda done, total: calls.append((done, total))
    assert download.run() == digest.sha256_of_bytes(DATA)
    assert download.part.read_bytes() == DATA
    assert calls[-1] == (len(DATA), len(DATA))


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_asks_for_a_wait_gets_it(download: Download, server: FileServer, time: FakeTime, code: int):
    server.files[PATH].faults = [Fault(code, {"Retry-After": "7"}), Fault(code)]
    download.run()
    assert time.slept == [7.0, 2.0], "the requested wait, then the second step of the back-off"


def test_a_server_that_always_fails_is_not_retried_without_limit(
    download: Download, server: FileServer, time: FakeTime
):
    server.files[PATH].faults = [Fault(500)] * 20
    assert "HTTP 500 (6 times in a row)" in fails(download)
    assert time.slept == [1, 2, 4, 8, 16]


def test_a_requested_wait_of_hours_fails(download: Download, server: FileServer, time: FakeTime):
    server.files[PATH].faults = [Fault(429, {"Retry-After": "86400"})]
    assert "asks for no request in the next 86400 s" in fails(download)
    assert time.slept == []


def test_a_lost_connection_is_resumed(download: Download, server: FileServer):
    server.files[PATH].faults = [Fault(cut_after=1000), Fault(cut_after=2000)]
    assert download.run() == digest.sha256_of_bytes(DATA)
    assert server.ranges(PATH) == ["", "bytes=1000-", "bytes=3000-"]
    assert server.requests[-1][2]["If-Range"] == '"one"'


def test_new_bytes_reset_the_number_of_attempts(download: Download, server: FileServer):
    """A connection that is lost every 100 bytes still transfers the file."""
    server.files[PATH].faults = [Fault(cut_after=100)] * 40
    assert download.run() == digest.sha256_of_bytes(DATA)


def test_a_later_run_resumes(download: Download, server: FileServer, tmp_path: Path):
    """The bytes received before the process ended are kept, and only the rest is requested."""
    server.files[PATH].faults = [Fault(cut_after=1500), *[Fault(500)] * 5]
    fails(download)
    later = Download(download.client, download.remote, download.part, download.retry)
    assert later.run() == digest.sha256_of_bytes(DATA)
    assert server.ranges(PATH)[-1] == "bytes=1500-"


def test_a_file_that_changed_in_between_is_downloaded_from_the_start(download: Download, server: FileServer):
    new = safetensors(fill=b"\x02")
    server.files[PATH].faults = [Fault(cut_after=1500), *[Fault(500)] * 5]
    fails(download)
    server.files[PATH].data, server.files[PATH].etag = new, '"two"'
    assert Download(
        download.client, download.remote, download.part, download.retry
    ).run() == digest.sha256_of_bytes(new)


def test_parts_of_two_versions_are_downloaded_from_the_start(download: Download, server: FileServer):
    """A server may resume another file under the same ETag. The digest then differs, and the download restarts."""
    new = safetensors(fill=b"\x02")
    remote = replace(download.remote, sha256=digest.sha256_of_bytes(new))
    server.files[PATH].faults = [Fault(cut_after=1500), *[Fault(500)] * 5]
    fails(download)
    server.files[PATH].data = new
    assert Download(download.client, remote, download.part, download.retry).run() == digest.sha256_of_bytes(new)


def test_a_server_that_ignores_ranges(download: Download, server: FileServer):
    server.files[PATH].faults = [Fault(cut_after=1000), Fault(ignore_range=True)]
    assert download.run() == digest.sha256_of_bytes(DATA)


def test_a_server_that_sends_no_length(download: Download, server: FileServer):
    server.files[PATH].send_length = False
    assert download.run() == digest.sha256_of_bytes(DATA)


def test_a_truncated_file_without_length_is_detected(download: Download, server: FileServer):
    """Without a length, only the file's own header shows that the file is truncated."""
    server.files[PATH].send_length = False
    server.files[PATH].faults = [Fault(cut_after=2000)]
    assert "truncated" in fails(download)
    assert not download.part.exists()


def test_a_server_that_stops_sending(server: FileServer, retry: RetryPolicy, tmp_path: Path):
    url = server.publish(PATH, DATA, faults=[Fault(stall=True)])
    with httpx2.Client(timeout=0.1) as client:
        assert Download(client, RemoteFile(url, "w"), tmp_path / "part", retry).run() == digest.sha256_of_bytes(
            DATA
        )
    assert server.ranges(PATH)[1] == f"bytes={len(DATA) // 2}-"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html; charset=utf-8", b"anything"),
        ("application/octet-stream", b"  <!DOCTYPE html><title>Log in</title>"),
        ("application/octet-stream", b'{"error":"Rate limit"}'),
        ("text/plain", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"),
        ("application/octet-stream", b"PK\x03\x04 truncated"),
        ("application/octet-stream", b"another format"),
        ("application/octet-stream", b""),
        ("application/octet-stream", DATA[:-1]),
    ],
)
def test_a_file_that_is_not_weights_is_reported_and_removed(
    download: Download, server: FileServer, content_type: str, body: bytes
):
    server.files[PATH].data, server.files[PATH].content_type = body, content_type
    message = fails(download)
    assert download.remote.url in message
    assert any(
        word in message
        for word in ("web page", "error message", "pointer", "truncated", "not a weights file", "empty")
    )
    assert list(download.part.parent.glob("part*")) == []


def test_another_digest_or_size_than_published_fails(download: Download):
    wrong = "0" * 64
    download.remote = replace(download.remote, sha256=wrong)
    assert f"has digest {digest.sha256_of_bytes(DATA)[:12]}, expected 000000000000" in fails(download)
    download.remote = replace(download.remote, sha256="", size=17)
    assert f"has {len(DATA)} bytes, expected 17" in fails(download)
    assert not download.part.exists()


@pytest.mark.parametrize(
    ("code", "message"), [(404, "not found"), (403, "HF_TOKEN"), (401, "HF_TOKEN"), (410, "not found")]
)
def test_a_permanent_error_is_not_retried(download: Download, server: FileServer, code: int, message: str):
    server.files[PATH].faults = [Fault(code)]
    assert message in fails(download)
    assert len(server.requests) == 1


def test_an_unreachable_host_is_not_tried_again(
    server: FileServer, retry: RetryPolicy, time: FakeTime, tmp_path: Path
):
    """The first file takes six attempts. All others of this host fail at once."""
    with httpx2.Client() as client:
        dead = RemoteFile("http://127.0.0.1:1/w", "w")
        assert "no connection" in fails(Download(client, dead, tmp_path / "one", retry))
        slept = len(time.slept)
        assert "no connection" in fails(Download(client, dead, tmp_path / "two", retry))
        assert len(time.slept) == slept


def test_a_token_is_sent_to_its_host_only(server: FileServer, download: Download):
    """A hub redirects to another host for the file itself."""
    other = server.url.replace("127.0.0.1", "localhost")
    server.publish("/hub", b"", redirect=f"{other}{PATH}")
    download.remote = RemoteFile(f"{server.url}/hub", "w", headers={"Authorization": "Bearer secret"})
    download.run()
    sent = {path: headers.get("Authorization") for _, path, headers in server.requests}
    assert sent == {"/hub": "Bearer secret", PATH: None}


def test_a_full_disk_leaves_no_part(download: Download, monkeypatch: pytest.MonkeyPatch):
    """If the length is known, the error is raised before the download."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 100})())
    with pytest.raises(OSError, match="bytes to download, 100 bytes free") as caught:
        download.run()
    assert caught.value.errno == errno.ENOSPC
    assert not download.part.exists()


PROGRAM = """
import sys, httpx2
from pathlib import Path
from submit.weights.download import Download, RemoteFile
from submit.weights.retry import RetryPolicy
part = Path(sys.argv[1]) / "part"
try:
    Download(httpx2.Client(), RemoteFile(sys.argv[2], "w"), part, RetryPolicy()).run()
except OSError as error:
    print(error.strerror, [path.name for path in part.parent.iterdir()])
"""


def test_a_disk_that_fills_up_during_the_download(
    server: FileServer, small_disk: list[str], checkout: Path, tmp_path: Path
):
    """A real file system of 64 kB, and a server that does not send the length."""
    url = server.publish("/big", safetensors(200_000), send_length=False)
    command = [*small_disk, str(tmp_path), sys.executable, "-c", PROGRAM, str(tmp_path), url]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "No space left on device []\n", done.stderr
