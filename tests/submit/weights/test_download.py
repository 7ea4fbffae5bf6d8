"""One file over HTTP, from a server with faults."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from alignsec import digest
from submit.weights.download import Download, Remote
from submit.weights.retry import Failed, Patience
from tests.submit.weights.stand_in import FakeTime, Fault, StandIn, safetensors

DATA = safetensors()
PATH = "/w.safetensors"


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(follow_redirects=True, timeout=5) as client:
        yield client


@pytest.fixture
def download(server: StandIn, client: httpx2.Client, patience: Patience, tmp_path: Path) -> Download:
    """Of DATA, published at PATH."""
    url = server.publish(PATH, DATA)
    return Download(client, Remote(url, "w.safetensors"), tmp_path / "part", patience)


def fails(download: Download) -> str:
    with pytest.raises(Failed) as caught:
        download.run()
    return str(caught.value)


def test_a_file_comes_whole_and_its_digest_is_told(download: Download):
    told: list[tuple[int, int | None]] = []
    download.tell = lambda done, total: told.append((done, total))
    assert download.run() == digest.sha256_of_bytes(DATA)
    assert download.part.read_bytes() == DATA
    assert told[-1] == (len(DATA), len(DATA))


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_asks_to_be_left_alone_is(download: Download, server: StandIn, time: FakeTime, code: int):
    server.files[PATH].faults = [Fault(code, {"Retry-After": "7"}), Fault(code)]
    download.run()
    assert time.slept == [7.0, 2.0], "as long as it said; then, unsaid, the second step of the back-off"


def test_a_server_that_always_fails_is_given_up(download: Download, server: StandIn, time: FakeTime):
    server.files[PATH].faults = [Fault(500)] * 20
    assert "HTTP 500 (6 times in a row)" in fails(download)
    assert time.slept == [1, 2, 4, 8, 16]


def test_a_wait_of_hours_is_not_waited(download: Download, server: StandIn, time: FakeTime):
    server.files[PATH].faults = [Fault(429, {"Retry-After": "86400"})]
    assert "asks to be left alone for 86400 s" in fails(download)
    assert time.slept == []


def test_a_cut_connection_is_resumed_where_it_was_cut(download: Download, server: StandIn):
    server.files[PATH].faults = [Fault(cut_after=1000), Fault(cut_after=2000)]
    assert download.run() == digest.sha256_of_bytes(DATA)
    assert server.ranges(PATH) == ["", "bytes=1000-", "bytes=3000-"]
    assert server.asked[-1][2]["If-Range"] == '"one"'


def test_every_new_byte_renews_patience(download: Download, server: StandIn):
    """A line that is cut every 100 bytes brings the file all the same."""
    server.files[PATH].faults = [Fault(cut_after=100)] * 40
    assert download.run() == digest.sha256_of_bytes(DATA)


def test_another_day_goes_on_from_there(download: Download, server: StandIn, tmp_path: Path):
    """What came before the process died is kept, and only the rest is asked for."""
    server.files[PATH].faults = [Fault(cut_after=1500), *[Fault(500)] * 5]
    fails(download)
    later = Download(download.client, download.remote, download.part, download.patience)
    assert later.run() == digest.sha256_of_bytes(DATA)
    assert server.ranges(PATH)[-1] == "bytes=1500-"


def test_a_file_that_changed_in_between_is_fetched_anew(download: Download, server: StandIn):
    new = safetensors(fill=b"\x02")
    server.files[PATH].faults = [Fault(cut_after=1500), *[Fault(500)] * 5]
    fails(download)
    server.files[PATH].data, server.files[PATH].etag = new, '"two"'
    assert Download(
        download.client, download.remote, download.part, download.patience
    ).run() == digest.sha256_of_bytes(new)


def test_halves_that_do_not_fit_are_fetched_anew(download: Download, server: StandIn):
    """A server that resumes another file under the same tag: its digest tells, and it is fetched whole."""
    new = safetensors(fill=b"\x02")
    remote = replace(download.remote, sha256=digest.sha256_of_bytes(new))
    server.files[PATH].faults = [Fault(cut_after=1500), *[Fault(500)] * 5]
    fails(download)
    server.files[PATH].data = new
    assert Download(download.client, remote, download.part, download.patience).run() == digest.sha256_of_bytes(new)


def test_a_server_that_ignores_ranges(download: Download, server: StandIn):
    server.files[PATH].faults = [Fault(cut_after=1000), Fault(ignore_range=True)]
    assert download.run() == digest.sha256_of_bytes(DATA)


def test_a_server_that_tells_no_length(download: Download, server: StandIn):
    server.files[PATH].tell_length = False
    assert download.run() == digest.sha256_of_bytes(DATA)


def test_a_cut_that_nobody_notices_is_noticed(download: Download, server: StandIn):
    """Without a length, a file that was cut short looks whole: its own header tells how long it is."""
    server.files[PATH].tell_length = False
    server.files[PATH].faults = [Fault(cut_after=2000)]
    assert "cut short" in fails(download)
    assert not download.part.exists()


def test_a_server_that_says_nothing_more(server: StandIn, patience: Patience, tmp_path: Path):
    url = server.publish(PATH, DATA, faults=[Fault(stall=True)])
    with httpx2.Client(timeout=0.1) as client:
        assert Download(client, Remote(url, "w"), tmp_path / "part", patience).run() == digest.sha256_of_bytes(
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
        ("application/octet-stream", b"PK\x03\x04 cut short"),
        ("application/octet-stream", b"neither fish nor fowl"),
        ("application/octet-stream", b""),
        ("application/octet-stream", DATA[:-1]),
    ],
)
def test_what_is_no_checkpoint_is_told_and_leaves_nothing(
    download: Download, server: StandIn, content_type: str, body: bytes
):
    server.files[PATH].data, server.files[PATH].content_type = body, content_type
    said = fails(download)
    assert download.remote.url in said
    assert any(
        word in said for word in ("web page", "error message", "pointer", "cut short", "checkpoint", "empty")
    )
    assert list(download.part.parent.glob("part*")) == []


def test_another_digest_or_size_than_published(download: Download):
    wrong = "0" * 64
    download.remote = replace(download.remote, sha256=wrong)
    assert f"has the digest {digest.sha256_of_bytes(DATA)[:12]}, not the 000000000000" in fails(download)
    download.remote = replace(download.remote, sha256="", size=17)
    assert f"has {len(DATA)} bytes, not the 17" in fails(download)
    assert not download.part.exists()


@pytest.mark.parametrize(
    ("code", "says"), [(404, "is not there"), (403, "HF_TOKEN"), (401, "HF_TOKEN"), (410, "is not there")]
)
def test_what_will_not_change_is_not_asked_twice(download: Download, server: StandIn, code: int, says: str):
    server.files[PATH].faults = [Fault(code)]
    assert says in fails(download)
    assert len(server.asked) == 1


def test_a_host_that_is_not_there_is_asked_no_more(
    server: StandIn, patience: Patience, time: FakeTime, tmp_path: Path
):
    """Six tries for the first file; the other 249 fail at once."""
    with httpx2.Client() as client:
        dead = Remote("http://127.0.0.1:1/w", "w")
        assert "no connection" in fails(Download(client, dead, tmp_path / "one", patience))
        slept = len(time.slept)
        assert "no connection" in fails(Download(client, dead, tmp_path / "two", patience))
        assert len(time.slept) == slept


def test_a_token_goes_to_its_host_only(server: StandIn, download: Download):
    """A hub redirects to where the bytes lie, which is somebody else."""
    other = server.url.replace("127.0.0.1", "localhost")
    server.publish("/hub", b"", redirect=f"{other}{PATH}")
    download.remote = Remote(f"{server.url}/hub", "w", headers={"Authorization": "Bearer secret"})
    download.run()
    sent = {path: headers.get("Authorization") for _, path, headers in server.asked}
    assert sent == {"/hub": "Bearer secret", PATH: None}


def test_a_full_disk_leaves_no_half(download: Download, monkeypatch: pytest.MonkeyPatch):
    """Told beforehand, where the length is known."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 100})())
    with pytest.raises(OSError, match="bytes are to come, 100 are free") as caught:
        download.run()
    assert caught.value.errno == errno.ENOSPC
    assert not download.part.exists()


PROGRAM = """
import sys, httpx2
from pathlib import Path
from submit.weights.download import Download, Remote
from submit.weights.patience import Patience
part = Path(sys.argv[1]) / "part"
try:
    Download(httpx2.Client(), Remote(sys.argv[2], "w"), part, Patience()).run()
except OSError as error:
    print(error.strerror, [path.name for path in part.parent.iterdir()])
"""


def test_a_disk_that_fills_up_in_the_middle(server: StandIn, small_disk: list[str], house: Path, tmp_path: Path):
    """A real file system of 64 kB, and a server that does not tell how much is to come."""
    url = server.publish("/big", safetensors(200_000), tell_length=False)
    command = [*small_disk, str(tmp_path), sys.executable, "-c", PROGRAM, str(tmp_path), url]
    done = subprocess.run(command, cwd=house, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "No space left on device []\n", done.stderr
