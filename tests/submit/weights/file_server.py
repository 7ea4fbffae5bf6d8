"""A fake server of published weights: http.server on this machine, with faults that a test sets."""

import json
import re
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from alignsec import digest

COMMIT = "c" * 40


def safetensors(count: int = 5000, fill: bytes = b"\x01") -> bytes:
    """Return a valid safetensors file with `count` bytes of tensor data, written without torch."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}}).encode()
    return struct.pack("<Q", len(header)) + header + fill * count


@dataclass(frozen=True)
class Fault:
    """A fault of the server in one response to a GET."""

    status: int = 0
    """Respond with this code and no file; 0 responds with the file."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    """Close the connection after this many bytes of the body."""
    stall: bool = False
    """Send half of the body, then nothing."""
    ignore_range: bool = False


@dataclass
class File:
    """A published file."""

    data: bytes
    etag: str = '"one"'
    content_type: str = "application/octet-stream"
    send_length: bool = True
    head: dict[str, str] = field(default_factory=dict)
    """Additional headers of the response to a HEAD."""
    redirect: str = ""
    faults: list[Fault] = field(default_factory=list)
    """Faults of the next requests, one each."""


@dataclass
class FileServer:
    """The published files and the received requests."""

    files: dict[str, File] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of each request."""
    url: str = ""
    simultaneous: int = 0
    max_simultaneous: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def ranges(self, path: str) -> list[str]:
        """Return the Range headers of the GETs for a path, with an empty text for a missing header."""
        return [headers.get("Range", "") for method, at, headers in self.requests if (method, at) == ("GET", path)]

    def publish(self, path: str, data: bytes, **more: object) -> str:
        """Publish a file and return its URL."""
        self.files[path] = File(data, **more)  # type: ignore[arg-type]
        return f"{self.url}{path}"

    def publish_on_hub(
        self, repository: str, data: bytes, name: str = "model.safetensors", **more: object
    ) -> None:
        """Publish a file as the hub serves large ones: size and digest are headers of a redirect to the file."""
        headers = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{digest.sha256_of_bytes(data)}"'}
        headers |= {"X-Linked-Size": str(len(data)), "ETag": '"git"'}
        target = f"/cdn/{repository}/{name}"
        for revision in ("main", COMMIT):
            path = f"/{repository}/resolve/{revision}/{name}"
            # The real hub redirects to another host. Its library follows redirects to the same host.
            self.files[path] = File(
                b"", head=headers, redirect=self.url.replace("127.0.0.1", "localhost") + target
            )
        self.publish(target, data, **more)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    published: FileServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Print nothing; the tests inspect the recorded requests."""

    def do_HEAD(self) -> None:
        self._record()
        file = self.published.files.get(self.path)
        if file is None:
            self._answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT, "Content-Length": "0"})
        elif file.faults:
            fault = file.faults.pop(0)
            self._answer(fault.status, {**fault.headers, "Content-Length": "0"})
        else:
            more = {"Location": file.redirect} if file.redirect else {"ETag": file.etag}
            length = "0" if file.redirect else str(len(file.data))
            self._answer(302 if file.redirect else 200, {**file.head, **more, "Content-Length": length})

    def do_GET(self) -> None:
        self._record()
        self.published.simultaneous += 1
        self.published.max_simultaneous = max(self.published.max_simultaneous, self.published.simultaneous)
        try:
            self._get()
        finally:
            self.published.simultaneous -= 1

    def _get(self) -> None:
        file = self.published.files.get(self.path)
        if file is None:
            self._answer(404, {"Content-Length": "0"})
            return
        fault = file.faults.pop(0) if file.faults else Fault()
        if file.redirect:
            self._answer(302, {"Location": file.redirect, "Content-Length": "0"})
        elif fault.status:
            self._answer(fault.status, {**fault.headers, "Content-Length": str(len(fault.body))}, fault.body)
        else:
            self._send(file, fault)

    def _send(self, file: File, fault: Fault) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", file.etag) == file.etag
        start = int(asked[1]) if asked and same and not fault.ignore_range else 0
        headers = {"ETag": file.etag, "Content-Type": file.content_type}
        if start >= len(file.data) > 0:
            self._answer(416, {"Content-Length": "0"})
            return
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(file.data) - 1}/{len(file.data)}"
        body = file.data[start:]
        if file.send_length:
            headers["Content-Length"] = str(len(body))
        else:
            headers["Connection"] = "close"
        if fault.stall:
            self._answer(206 if start else 200, headers, body[: len(body) // 2])
            self.published.released.wait(20)
            self.close_connection = True
        elif fault.cut_after is not None:
            self._answer(206 if start else 200, headers, body[: fault.cut_after])
            self.close_connection = True
        else:
            self._answer(206 if start else 200, headers, body)

    def _record(self) -> None:
        self.published.requests.append((self.command, self.path, dict(self.headers)))

    def _answer(self, code: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect; the tests do that on purpose."""


@contextmanager
def run_server() -> Iterator[FileServer]:
    """Run a server until the block ends."""
    published = FileServer()
    handler = type("Handler", (_Handler,), {"published": published})
    server = _Server(("127.0.0.1", 0), handler)
    published.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield published
    finally:
        published.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class FakeTime:
    """A clock that moves only while the code under test sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        """Return the time in seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Record the duration and return at once."""
        self.slept.append(seconds)
        self.now += seconds


Publish = Callable[..., str]
