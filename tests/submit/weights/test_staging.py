"""Staging: the folder that a site keeps its weights in, filled from servers with faults."""

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
from submit.weights.retry import Patience
from submit.weights.staging import PARTS, Fetched, Staging
from tests.submit.weights.stand_in import COMMIT, Fault, StandIn, safetensors

HUB = "hub:timm/resnet18.a1_in1k"
Stage = Callable[..., dict[str, Fetched]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The site's weights folder."""
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def staging(folder: Path, server: StandIn, patience: Patience, python: str = sys.executable) -> Staging:
    digests = DigestCache(folder.parent / "digests.json")
    return Staging(folder, digests, patience, python, {"PATH": "/usr/bin:/bin"}, server.url, timeout=5)


@pytest.fixture
def stage(folder: Path, server: StandIn, patience: Patience) -> Stage:
    """Fetch what is missing of some addresses; what came of each, by address."""

    def run(*addresses: str, python: str = "/no/such/python") -> dict[str, Fetched]:
        # Each call is another day: nothing is waited for still, and nothing has been stopped.
        new = Patience(tries=patience.tries, clock=patience.clock, sleep=patience.sleep)
        one = staging(folder, server, new, python)
        return {fetched.address: fetched for fetched in one.run(one.missing(addresses))}

    return run


def test_files_are_named_by_digest_and_the_manifest_tells_where_from(stage: Stage, server: StandIn, folder: Path):
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


def test_a_brain_score_plugins_archive_is_packed_in_its_environment(
    folder: Path, server: StandIn, patience: Patience, tmp_path: Path
):
    """By the Python that has brainscore_vision, a stand-in here; what goes wrong there is told."""
    python = tmp_path / "python"
    python.write_text(PACKER)
    python.chmod(0o755)
    one = replace(staging(folder, server, patience), brainscore=str(python))
    good, bad = "brainscore:halves", "brainscore:gone"
    came = {fetched.address: fetched for fetched in one.run(one.missing([good, bad]))}
    assert came[bad].why == "its plugin could not be built: URLError: no such bucket"
    staged = Manifest.read(folder).weights[good]
    assert (folder / staged.file).read_bytes() == b"archive of halves"
    assert staged.file.endswith(".tar")
    assert not one.missing([good])
    (lacks,) = replace(one, brainscore=str(tmp_path / "none"), patience=Patience()).run([bad])
    assert "make brainscore makes it" in lacks.why


def test_a_second_call_asks_nobody(stage: Stage, server: StandIn, folder: Path):
    server.publish_on_hub("timm/resnet18.a1_in1k", safetensors())
    url = server.publish("/w.safetensors", safetensors())
    stage(HUB, url)
    before = (folder / NAME).read_bytes()
    server.asked.clear()
    assert stage(HUB, url) == {}
    assert server.asked == []
    assert (folder / NAME).read_bytes() == before


def test_what_fails_is_told_and_the_rest_is_kept(stage: Stage, server: StandIn, folder: Path):
    """One of each fault that does not go away, beside two files that are fine after a while."""
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
        "gone": "is not there (HTTP 404)",
        "digest": "not the 0123abcd it is published with",
        "cut": "cut short",
        "hub": "has none of model.safetensors",
    }.items():
        assert words in came[addresses[name]].why
    assert set(Manifest.read(folder).weights) == {HUB, addresses["busy"]}
    assert not (folder / PARTS).exists(), "nothing half-written stays"


def test_a_torch_file_is_rewritten_where_there_is_torch(
    stage: Stage, server: StandIn, folder: Path, tmp_path: Path
):
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
def test_without_torch_a_file_stays_as_it_is(
    stage: Stage, server: StandIn, folder: Path, tmp_path: Path, python: str
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


def test_a_file_that_runs_code_is_not_kept(stage: Stage, server: StandIn, folder: Path, tmp_path: Path):
    torch.save({"w": Path("a")}, tmp_path / "w.pth")
    url = server.publish("/w.pth", (tmp_path / "w.pth").read_bytes())
    assert "so no job could read it: UnpicklingError" in stage(url, python=sys.executable)[url].why
    assert [path.name for path in folder.iterdir()] == []


def test_what_was_on_its_way_is_resumed(stage: Stage, server: StandIn, folder: Path):
    data = safetensors()
    url = server.publish("/w", data, faults=[Fault(cut_after=2000), *[Fault(500)] * 5])
    assert stage(url)[url].staged is None
    assert (folder / PARTS).exists()
    assert stage(url)[url].staged is not None
    assert server.ranges("/w")[-1] == "bytes=2000-"
    assert not (folder / PARTS).exists()


@pytest.mark.parametrize("damage", ["gone", "longer", "as long"])
def test_a_file_that_is_not_what_the_manifest_tells_is_fetched_again(
    stage: Stage, server: StandIn, folder: Path, damage: str
):
    data = safetensors()
    url = server.publish("/w", data)
    staged = stage(url)[url].staged
    assert staged is not None
    file = folder / staged.file
    file.unlink() if damage == "gone" else file.write_bytes({"longer": data + b"x"}.get(damage, data[::-1]))
    assert stage(url)[url].staged == staged.model_copy(update={"fetched": stage_time(folder, url)})
    assert file.read_bytes() == data


def stage_time(folder: Path, url: str) -> str:
    return Manifest.read(folder).weights[url].fetched


def test_few_at_once(stage: Stage, server: StandIn):
    urls = [server.publish(f"/{n}", safetensors(200_000 + n)) for n in range(12)]
    assert len(stage(*urls)) == 12
    assert server.most_at_once <= 4


def test_an_interruption_loses_only_what_was_on_its_way(
    folder: Path, server: StandIn, patience: Patience, stage: Stage
):
    """Ctrl-C while one file stalls: the other is in the manifest, and workers that wait end at once."""
    done, stalled = server.publish("/done", safetensors()), server.publish("/stalled", safetensors())
    server.files["/stalled"].faults = [Fault(503, {"Retry-After": "1000"})]
    one = staging(folder, server, Patience())
    running = one.run([done, stalled])
    assert next(running).address == done
    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt())
    assert set(Manifest.read(folder).weights) == {done}
    assert stage(done, stalled).keys() == {stalled}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"schema_version": 2, "weights": {}}', "is of version 2, which this alignsec does not read"),
        ('{"schema_version": 1, "weights": {"a": {}}}', "was changed or cut short"),
        ('{"schema_ver', "was changed or cut short"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_not_overwritten(stage: Stage, folder: Path, text: str, says: str):
    (folder / NAME).write_text(text)
    with pytest.raises(ConfigErrors, match=says):
        stage("http://127.0.0.1:1/w")
    assert (folder / NAME).read_text() == text


def test_a_manifest_names_no_file_outside_its_folder(folder: Path, stage: Stage, server: StandIn):
    url = server.publish("/w", safetensors())
    stage(url)
    content = json.loads((folder / NAME).read_text())
    content["weights"][url]["file"] = "../../etc/passwd"
    (folder / NAME).write_text(json.dumps(content))
    with pytest.raises(ConfigErrors, match="was changed"):
        Manifest.read(folder)
