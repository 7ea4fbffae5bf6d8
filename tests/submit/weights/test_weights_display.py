"""What a person sees while weights are fetched."""

import io

import pytest
from rich.console import Console

from alignsec import display
from submit.weights.display import WeightsDisplay
from submit.weights.manifest import PublishedFile, Staged
from submit.weights.staging import Fetched


def test_plain_lines_in_a_log(monkeypatch: pytest.MonkeyPatch):
    """One every ten seconds at most, with the bytes of all files; one for each file that ends."""
    now = 1000.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    out = io.StringIO()
    published = PublishedFile(url="u", name="w", sha256="0" * 64, bytes=1)
    staged = Staged(
        file="weights-000000000000.pth",
        sha256="0" * 64,
        bytes=2_500_000,
        published=published,
        rewritten=True,
        fetched="",
    )
    with WeightsDisplay(Console(file=out, width=200), 2) as watched:
        watched.at("a", 1_000_000, None)
        for _ in range(15):
            now += 1
            watched.at("b", 2_000_000, 9_000_000)
        watched.ended(Fetched("a", staged, ""))
        watched.ended(Fetched("b", None, "it is [gone]"))
    assert out.getvalue().splitlines() == [
        "0/2 files, 3.0 MB so far",
        "1/2 files: a: weights-000000000000.pth, 2.5 MB, rewritten as safetensors",
        "2/2 files: b: failed: it is [gone]",
    ]
