"""A server that answers each path with given bytes, which need not be HTTP."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = bytes | Callable[[], Iterator[bytes]]
"""The bytes of an answer, or a function that yields them, also without end."""


@contextmanager
def run_raw_server(answers: dict[str, Answer]) -> Iterator[str]:
    """Run a server until the block ends; yield its URL. The connection is closed after each answer."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            path = self.rfile.readline().split()[1].decode()
            while self.rfile.readline().strip():
                pass
            answer = answers[path]
            for part in (answer,) if isinstance(answer, bytes) else answer():
                self.wfile.write(part)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Ignore clients that disconnect."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
