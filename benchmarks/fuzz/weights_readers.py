"""Readers of weights: file formats, the conversion, Brain-Score's archives, and answers of servers."""

import io
import json
import shutil
import struct
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import torch
from safetensors.torch import save

from alignsec.models import brainscore, conversion, state_dict
from alignsec.models.errors import ModelError
from benchmarks.fuzz.containers import (
    edit_safetensors_header,
    edit_tar_headers,
    edit_tar_members,
    edit_zip_members,
)
from benchmarks.fuzz.documents import json_documents
from benchmarks.fuzz.reader import Reader
from submit.weights import file_format
from submit.weights.download import Download, RemoteFile
from submit.weights.file_format import InvalidWeightsError
from submit.weights.response import create_client
from submit.weights.retry import DownloadError, RetryPolicy
from submit.weights.staging import STRANGE_ANSWERS
from tests.submit.weights.file_server import FakeTime

URL = "https://server.example/weights.safetensors"
MOST_WAITS = 2000
"""Waits of one download, on a clock that does not move otherwise. More are a hang."""


def _tensors() -> dict[str, torch.Tensor]:
    return {"head.weight": torch.arange(12.0).reshape(3, 4), "head.bias": torch.zeros(3), "n": torch.tensor(7)}


def _torch_file(*, zipped: bool) -> bytes:
    out = io.BytesIO()
    torch.save({"state_dict": _tensors()}, out, _use_new_zipfile_serialization=zipped)
    return out.getvalue()


def _torch_corpus(_: Path) -> Sequence[bytes]:
    return [_torch_file(zipped=True), _torch_file(zipped=False)]


def _format_corpus(folder: Path) -> Sequence[bytes]:
    arrays = io.BytesIO()
    np.savez(arrays, a=np.zeros(3))
    return [*_torch_corpus(folder), save(_tensors()), arrays.getvalue()]


def _convert(path: Path) -> None:
    target = path.with_name("converted.safetensors")
    try:
        conversion.main(str(path), str(target))
    finally:
        target.unlink(missing_ok=True)


def _brainscore_corpus(_: Path) -> Sequence[bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("hub/checkpoints/a.pth", ".cache/b.json"):
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO(b"data"))
    return [out.getvalue()]


def _unpack(path: Path) -> None:
    home = path.parent / "home"
    try:
        brainscore.unpack(path, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _answer(status: int, headers: dict[str, str], body: str) -> dict[str, Any]:
    return {"status": status, "headers": headers, "body": body}


_BODY = struct.pack("<Q", 2).decode("latin-1") + "{}"
ANSWERS = [
    _answer(200, {"Content-Length": "10", "ETag": '"a"'}, _BODY),
    _answer(206, {"Content-Range": "bytes 4-9/10", "Content-Length": "6", "ETag": '"a"'}, _BODY[4:]),
    _answer(429, {"Retry-After": "7"}, ""),
    _answer(302, {"Location": "https://server.example/other"}, ""),
    _answer(503, {"Retry-After": "Wed, 25 Nov 2026 12:00:00 GMT"}, "busy"),
]


def _respond(answer: object, *, cut: bool) -> httpx2.Response:
    """Return a response with odd headers; raise httpx's error for what it cannot represent."""
    given = answer if isinstance(answer, dict) else {}
    status, headers, body = given.get("status"), given.get("headers"), given.get("body")
    fields = headers.items() if isinstance(headers, dict) else ()
    pairs = [(str(key).encode(errors="replace"), str(value).encode(errors="replace")) for key, value in fields]
    content = str(body).encode("latin-1", errors="replace")
    code = status if isinstance(status, int) and 200 <= status <= 599 else 200
    return httpx2.Response(
        code, headers=pairs, stream=httpx2.ByteStream(content[: len(content) // 2] if cut else content)
    )


def _download(path: Path) -> None:
    """Download a file from a server that gives the answers of a JSON list in turn."""
    try:
        answers = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return
    if not isinstance(answers, list) or not answers:
        return
    part = path.with_name("part")
    time, count = FakeTime(), 0

    def handle(_: httpx2.Request) -> httpx2.Response:
        nonlocal count
        count += 1
        assert count < MOST_WAITS, "the download does not end"  # noqa: S101 - a finding
        return _respond(answers[count % len(answers)], cut=count % 3 == 0)

    def sleep(seconds: float) -> None:
        assert len(time.slept) < MOST_WAITS, "the download does not end"  # noqa: S101 - a finding
        time.sleep(seconds)

    with create_client(5.0, httpx2.MockTransport(handle)) as client:
        download = Download(
            client, RemoteFile(URL, "w.safetensors"), part, RetryPolicy(clock=time.clock, sleep=sleep)
        )
        try:
            download.run()
        finally:
            download.discard()


READERS = (
    Reader(
        name="weights-format",
        read=file_format.detect_format,
        corpus=_format_corpus,
        allowed=(InvalidWeightsError,),
        edits=(edit_safetensors_header, edit_zip_members),
    ),
    Reader(name="weights-conversion", read=_convert, corpus=_torch_corpus, edits=(edit_zip_members,)),
    Reader(
        name="weights-job",
        read=state_dict.read_state_dict,
        corpus=_format_corpus,
        # The job records every exception as the failure of its pair; only a crash or a hang is a finding.
        allowed=(Exception,),
        edits=(edit_safetensors_header, edit_zip_members),
    ),
    Reader(
        name="brainscore-archive",
        read=_unpack,
        corpus=_brainscore_corpus,
        allowed=(ModelError, OSError),
        edits=(edit_tar_headers, edit_tar_members),
    ),
    Reader(
        name="http-answers",
        read=_download,
        corpus=lambda _: [json.dumps(ANSWERS).encode(), *(json.dumps([one]).encode() for one in ANSWERS)],
        allowed=(DownloadError, *STRANGE_ANSWERS),
        documents=json_documents(ANSWERS) | json_documents(ANSWERS[:1]),
    ),
)
