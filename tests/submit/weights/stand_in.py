"""A stand-in for the servers that publish weights: http.server on this machine, which fails as it is told."""

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
    """A whole safetensors file of so many bytes of tensor, written without torch."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}}).encode()
    return struct.pack("<Q", len(header)) + header + fill * count


@dataclass(frozen=True)
class Fault:
    """What a server does instead of answering a GET as it should."""

    status: int = 0
    """Answer with this code and no file; 0: answer with the file."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    """Close the connection after so many bytes of the body."""
    stall: bool = False
    """Send half of the body, then nothing more."""
    ignore_range: bool = False


@dataclass
class File:
    """A published file."""

    data: bytes
    etag: str = '"one"'
    content_type: str = "application/octet-stream"
    tell_length: bool = True
    head: dict[str, str] = field(default_factory=dict)
    """More headers of a HEAD's answer."""
    redirect: str = ""
    faults: list[Fault] = field(default_factory=list)
    """Of the coming requests, one each."""


@dataclass
class StandIn:
    """A server and what it was asked."""

    files: dict[str, File] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of each request."""
    url: str = ""
    at_once: int = 0
    most_at_once: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def ranges(self, path: str) -> list[str]:
        """The Range headers of the GETs for a path; empty text where there was none."""
        return [headers.get("Range", "") for method, at, headers in self.asked if (method, at) == ("GET", path)]

    def publish(self, path: str, data: bytes, **more: object) -> str:
        """A file at an address, which is returned."""
        self.files[path] = File(data, **more)  # type: ignore[arg-type]
        return f"{self.url}{path}"

    def publish_on_hub(
        self, repository: str, data: bytes, name: str = "model.safetensors", **more: object
    ) -> None:
        """A file of a repository, as the hub serves large ones: its facts in the redirect to where it lies."""
        facts = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{digest.sha256_of_bytes(data)}"'}
        facts |= {"X-Linked-Size": str(len(data)), "ETag": '"git"'}
        there = f"/cdn/{repository}/{name}"
        for revision in ("main", COMMIT):
            path = f"/{repository}/resolve/{revision}/{name}"
            # To another host, as the real one does; its library would follow a redirect to the same one.
            self.files[path] = File(b"", head=facts, redirect=self.url.replace("127.0.0.1", "localhost") + there)
        self.publish(there, data, **more)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: StandIn

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing: the tests look at what was asked."""

    def do_HEAD(self) -> None:
        self._note()
        file = self.stand_in.files.get(self.path)
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
        self._note()
        self.stand_in.at_once += 1
        self.stand_in.most_at_once = max(self.stand_in.most_at_once, self.stand_in.at_once)
        try:
            self._get()
        finally:
            self.stand_in.at_once -= 1

    def _get(self) -> None:
        file = self.stand_in.files.get(self.path)
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
        if file.tell_length:
            headers["Content-Length"] = str(len(body))
        else:
            headers["Connection"] = "close"
        if fault.stall:
            self._answer(206 if start else 200, headers, body[: len(body) // 2])
            self.stand_in.released.wait(20)
            self.close_connection = True
        elif fault.cut_after is not None:
            self._answer(206 if start else 200, headers, body[: fault.cut_after])
            self.close_connection = True
        else:
            self._answer(206 if start else 200, headers, body)

    def _note(self) -> None:
        self.stand_in.asked.append((self.command, self.path, dict(self.headers)))

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
        """Nothing: clients that hang up are what is tested."""


@contextmanager
def serving() -> Iterator[StandIn]:
    """A stand-in that answers until the block ends."""
    stand_in = StandIn()
    handler = type("Handler", (_Handler,), {"stand_in": stand_in})
    server = _Server(("127.0.0.1", 0), handler)
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class FakeTime:
    """A clock that sleeping moves, and nothing else."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Returns at once."""
        self.slept.append(seconds)
        self.now += seconds


Publish = Callable[..., str]
