"""Preflight: a schedd that accepts no jobs of the user, and staged files that jobs could not download."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from submit.preflight import access
from submit.validation import ValidatedStudy
from submit.weights.locate import LocatedWeights
from tests.submit.plans import site


def test_a_schedd_that_refuses_the_user_is_a_problem():
    def run(argv: list[str], check: bool = False) -> "CompletedProcess[str]":
        return CompletedProcess(argv, 1, "", "ERROR: AUTHENTICATE:1003:Failed to authenticate with any method\n")

    (error,) = access.schedd_errors(run, site(), Path(".env"))
    assert "accepts no jobs of this user: ERROR: AUTHENTICATE:1003" in error.remedy
    assert access.schedd_errors(lambda argv, check: CompletedProcess(argv, 0, "", ""), site(), Path(".env")) == []


class _Handler(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200 if self.path.endswith("a.safetensors") else 403)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server that has one file."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), _Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/w"
        running.shutdown()


def test_staged_weights_that_a_server_does_not_give_are_a_problem(
    validated: ValidatedStudy, server: str, tmp_path: Path
):
    """The file of b is not at the URL. Weights outside the staged folder travel with the job."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("a", "b"):
        path = folder / f"{name}.safetensors"
        path.write_bytes(b"x")
        validated.weights[name] = LocatedWeights(path, "1" * 64, 1)
    errors = access.staged_errors(validated, site(WEIGHTS_URL=server), Path(".env"), folder)
    assert [(error.field, "HTTP 403" in error.remedy) for error in errors] == [("WEIGHTS_URL", True)]
    assert "has no b.safetensors that jobs can download" in errors[0].remedy
    assert access.staged_errors(validated, site(WEIGHTS_URL=server), Path(".env"), tmp_path / "other") == []
    assert access.staged_errors(validated, site(WEIGHTS_URL="osdf:///x/y"), Path(".env"), folder) == []


def test_a_server_that_does_not_answer_is_a_problem(validated: ValidatedStudy, tmp_path: Path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"x")
    validated.weights["a"] = LocatedWeights(path, "1" * 64, 1)
    errors = access.staged_errors(validated, site(WEIGHTS_URL="http://127.0.0.1:9/w"), Path(".env"), tmp_path)
    assert ["Connection refused" in error.remedy for error in errors] == [True]
