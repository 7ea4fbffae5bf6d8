"""Staging weights in a site's folder from a server with faults."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from alignsec import digest
from alignsec.errors import ConfigErrors
from submit.digest_cache import DigestCache
from submit.weights.manifest import NAME, Manifest
from submit.weights.retry import RetryPolicy
from submit.weights.staging import PARTS, FetchResult, WeightsStager
from tests.submit.weights.file_server import COMMIT, Fault, FileServer, safetensors

HUB = "hub:timm/resnet18.a1_in1k"
Stage = Callable[..., dict[str, FetchResult]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The site's weights folder."""
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def stager(folder: Path, server: FileServer, retry: RetryPolicy, python: str = sys.executable) -> WeightsStager:
    digests = DigestCache(folder.parent / "digests.json")
    return WeightsStager(folder, digests, retry, python, {"PATH": "/usr/bin:/bin"}, server.url, timeout=5)


@pytest.fixture
def stage(folder: Path, server: FileServer, retry: RetryPolicy) -> Stage:
    """A function that stages the missing ones of some addresses and returns the results by address."""

    def run(*addresses: str, python: str = "/no/such/python") -> dict[str, FetchResult]:
        # A new policy for each call, because earlier waits and cancellations no longer apply.
        new = RetryPolicy(max_attempts=retry.max_attempts, clock=retry.clock, sleep=retry.sleep)
        one = stager(folder, server, new, python)
        return {result.address: result for result in one.run(one.find_missing(addresses))}

    return run


def test_files_are_named_by_digest_and_listed_in_the_manifest(stage: Stage, server: FileServer, folder: Path):
    data, other = safetensors(), safetensors(fill=b"\x02")
    server.publish_on_hub("timm/resnet18.a1_in1k", data)
    url = server.publish("/w.safetensors", other)
    stage(HUB, url)
    manifest = Manifest.read(folder).weights
    for address, bytes_ in ((HUB, data), (url, other)):
        staged = manifest[address]
        assert staged.file == f"weights-{digest.sha256_of_bytes(bytes_)[:12]}.safetensors"
        assert (folder / staged.file).read_bytes() == bytes_
        assert (staged.sha256, staged.bytes) == (digest.sha256_of_bytes(bytes_), len(bytes_))
    assert manifest[HUB].published.revision == COMMIT
    assert manifest[url].published.url == url
    assert sorted(path.name for path in folder.iterdir()) == sorted([NAME, *(s.file for s in manifest.values())])


PACKER = """#!/bin/sh
echo "some library warns" >&2
case $3 in
halves) printf 'archive of %s' "$3" >"$4" ;;
*) printf '%s\\n' "URLError: no such bucket" "$3 could not be built; nothing was written" >&2; exit 1 ;;
esac
"""


def test_a_brain_score_plugin_is_archived_in_its_environment(
    folder: Path, server: FileServer, retry: RetryPolicy, tmp_path: Path
):
    """A fake of the Python that has brainscore_vision makes the archive, and its error is reported."""
    python = tmp_path / "python"
    python.write_text(PACKER)
    python.chmod(0o755)
    one = replace(stager(folder, server, retry), brainscore=str(python))
    good, bad = "brainscore:halves", "brainscore:gone"
    came = {result.address: result for result in one.run(one.find_missing([good, bad]))}
    assert came[bad].reason == "its plugin failed: URLError: no such bucket"
    staged = Manifest.read(folder).weights[good]
    assert (folder / staged.file).read_bytes() == b"archive of halves"
    assert staged.file.endswith(".tar")
    assert not one.find_missing([good])
    (lacks,) = replace(one, brainscore=str(tmp_path / "none"), retry=RetryPolicy()).run([bad])
    assert "run make brainscore" in lacks.reason


def test_a_plugin_gets_no_token(folder: Path, server: FileServer, retry: RetryPolicy, tmp_path: Path):
    """A plugin is code of others: it gets the proxy, and none of the user's keys."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nenv >{tmp_path}/environ\nexit 1\n")
    python.chmod(0o755)
    environ = {
        "PATH": "/usr/bin:/bin",
        "HF_TOKEN": "hf_x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "https_proxy": "http://p",
    }
    one = replace(stager(folder, server, retry), brainscore=str(python), environ=environ)
    list(one.run(["brainscore:any"]))
    text = (tmp_path / "environ").read_text()
    assert "https_proxy=http://p" in text
    assert "HF_TOKEN" not in text
    assert "AWS_SECRET" not in text


def test_a_second_call_sends_no_request(stage: Stage, server: FileServer, folder: Path):
    server.publish_on_hub("timm/resnet18.a1_in1k", safetensors())
    url = server.publish("/w.safetensors", safetensors())
    stage(HUB, url)
    before = (folder / NAME).read_bytes()
    server.requests.clear()
    assert stage(HUB, url) == {}
    assert server.requests == []
    assert (folder / NAME).read_bytes() == before


def test_failures_are_reported_and_other_files_are_kept(stage: Stage, server: FileServer, folder: Path):
    """One permanent fault of each type, and two files that succeed after some attempts."""
    good, slow = safetensors(), safetensors(fill=b"\x03")
    server.publish_on_hub("timm/resnet18.a1_in1k", good)
    addresses = {
        "page": server.publish("/page", b"<html>", content_type="text/html"),
        "gone": f"{server.url}/gone",
        "digest": server.publish("/w-0123abcd.pth", safetensors()),
        "cut": server.publish("/cut", safetensors()[:-9]),
        "hub": "hub:timm/no-such",
        "busy": server.publish("/busy", slow, faults=[Fault(503)] * 3),
    }
    came = stage(HUB, *addresses.values())
    assert {name for name, one in addresses.items() if came[one].staged is None} == addresses.keys() - {"busy"}
    for name, words in {
        "page": "is a web page",
        "gone": "not found (HTTP 404)",
        "digest": "expected 0123abcd",
        "cut": "truncated",
        "hub": "has none of model.safetensors",
    }.items():
        assert words in came[addresses[name]].reason
    assert set(Manifest.read(folder).weights) == {HUB, addresses["busy"]}
    assert not (folder / PARTS).exists(), "no incomplete download remains"


def test_a_torch_file_is_converted_with_torch(stage: Stage, server: FileServer, folder: Path, tmp_path: Path):
    state = {"w": torch.randn(30, 4), "b": torch.zeros(3)}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "w.pth")
    data = (tmp_path / "w.pth").read_bytes()
    url = server.publish(f"/w-{digest.sha256_of_bytes(data)[:8]}.pth", data)
    staged = stage(url, python=sys.executable)[url].staged
    assert staged is not None
    assert staged.rewritten
    assert staged.published.sha256 == digest.sha256_of_bytes(data)
    assert staged.sha256 == digest.sha256_of_file(folder / staged.file)
    found = load_file(folder / staged.file)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key]) for key in state)


@pytest.mark.parametrize("python", ["/no/such/python", "without torch"])
def test_a_torch_file_is_unchanged_without_torch(
    stage: Stage, server: FileServer, folder: Path, tmp_path: Path, python: str
):
    torch.save({"w": torch.zeros(3)}, tmp_path / "w.pth")
    if python == "without torch":
        (tmp_path / "python").write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
        (tmp_path / "python").chmod(0o755)
        python = str(tmp_path / "python")
    url = server.publish("/w.pth", (tmp_path / "w.pth").read_bytes())
    staged = stage(url, python=python)[url].staged
    assert staged is not None
    assert not staged.rewritten
    assert staged.file.endswith(".pth")
    assert (folder / staged.file).read_bytes() == (tmp_path / "w.pth").read_bytes()


def test_a_file_that_runs_code_is_removed(stage: Stage, server: FileServer, folder: Path, tmp_path: Path):
    torch.save({"w": Path("a")}, tmp_path / "w.pth")
    url = server.publish("/w.pth", (tmp_path / "w.pth").read_bytes())
    assert "so no job could load it: UnpicklingError" in stage(url, python=sys.executable)[url].reason
    assert [path.name for path in folder.iterdir()] == []


def test_an_incomplete_download_is_resumed(stage: Stage, server: FileServer, folder: Path):
    data = safetensors()
    url = server.publish("/w", data, faults=[Fault(cut_after=2000), *[Fault(500)] * 5])
    assert stage(url)[url].staged is None
    assert (folder / PARTS).exists()
    assert stage(url)[url].staged is not None
    assert server.ranges("/w")[-1] == "bytes=2000-"
    assert not (folder / PARTS).exists()


@pytest.mark.parametrize("damage", ["missing", "longer", "same length"])
def test_a_file_that_differs_from_the_manifest_is_downloaded_again(
    stage: Stage, server: FileServer, folder: Path, damage: str
):
    data = safetensors()
    url = server.publish("/w", data)
    staged = stage(url)[url].staged
    assert staged is not None
    file = folder / staged.file
    file.unlink() if damage == "missing" else file.write_bytes({"longer": data + b"x"}.get(damage, data[::-1]))
    assert stage(url)[url].staged == staged.model_copy(update={"fetched": stage_time(folder, url)})
    assert file.read_bytes() == data


def stage_time(folder: Path, url: str) -> str:
    return Manifest.read(folder).weights[url].fetched


def test_the_number_of_simultaneous_downloads_is_limited(stage: Stage, server: FileServer):
    urls = [server.publish(f"/{n}", safetensors(200_000 + n)) for n in range(12)]
    assert len(stage(*urls)) == 12
    assert server.max_simultaneous <= 4


def test_an_interruption_keeps_complete_files(folder: Path, server: FileServer, retry: RetryPolicy, stage: Stage):
    """After Ctrl-C while one file stalls, the other is in the manifest. Waiting workers end at once."""
    done, stalled = server.publish("/done", safetensors()), server.publish("/stalled", safetensors())
    server.files["/stalled"].faults = [Fault(503, {"Retry-After": "1000"})]
    one = stager(folder, server, RetryPolicy())
    running = one.run([done, stalled])
    assert next(running).address == done
    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt())
    assert set(Manifest.read(folder).weights) == {done}
    assert stage(done, stalled).keys() == {stalled}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema_version": 2, "weights": {}}', "has version 2, which this version of alignsec cannot read"),
        ('{"schema_version": 1, "weights": {"a": {}}}', "is damaged"),
        ('{"schema_ver', "is damaged"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_not_overwritten(stage: Stage, folder: Path, text: str, message: str):
    (folder / NAME).write_text(text)
    with pytest.raises(ConfigErrors, match=message):
        stage("http://127.0.0.1:1/w")
    assert (folder / NAME).read_text() == text


def test_a_manifest_with_a_file_outside_its_folder_is_refused(folder: Path, stage: Stage, server: FileServer):
    url = server.publish("/w", safetensors())
    stage(url)
    content = json.loads((folder / NAME).read_text())
    content["weights"][url]["file"] = "../../etc/passwd"
    (folder / NAME).write_text(json.dumps(content))
    with pytest.raises(ConfigErrors, match="is damaged"):
        Manifest.read(folder)


def test_a_stated_digest_verifies_a_plain_address(folder: Path, server: FileServer, retry: RetryPolicy):
    """Eight digits in the name could be those of another file. The digest is that of the published file."""
    data = safetensors()
    url = server.publish(f"/w-{digest.sha256_of_bytes(data)[:8]}.safetensors", data)
    for stated, staged in ((digest.sha256_of_bytes(data)[:8] + "0" * 56, False), ("f" * 64, False)):
        one = stager(folder, server, replace_policy(retry))
        one.expected = {url: stated}
        (result,) = one.run([url])
        assert (result.staged is not None) == staged
        assert "has digest" in result.reason
    one = stager(folder, server, replace_policy(retry))
    one.expected = {url: digest.sha256_of_bytes(data)}
    (result,) = one.run([url])
    assert result.staged is not None
    assert one.find_missing([url]) == []
    one.expected = {url: "e" * 64}
    assert one.find_missing([url]) == [url], "a file that the study no longer accepts is downloaded again"


def test_the_hubs_digest_must_be_the_stated_one(folder: Path, server: FileServer, retry: RetryPolicy):
    server.publish_on_hub("timm/resnet18.a1_in1k", safetensors())
    one = stager(folder, server, retry)
    one.expected = {HUB: "f" * 64}
    (result,) = one.run([HUB])
    assert "weights_sha256 is ffffffffffff" in result.reason


def replace_policy(retry: RetryPolicy) -> RetryPolicy:
    """Return a new policy with the same clock; a run cancels its own at the end."""
    return RetryPolicy(clock=retry.clock, sleep=retry.sleep)
