"""The hub's own library with a fake server of the hub's HTTP interface."""

import pytest

from alignsec import digest
from submit.weights import hub
from submit.weights.retry import DownloadError, RetryPolicy
from tests.submit.weights.file_server import COMMIT, FakeTime, Fault, FileServer, safetensors

REPOSITORY = "timm/resnet18.a1_in1k"
MAIN = f"/{REPOSITORY}/resolve/main/model.safetensors"


def test_size_digest_and_commit_come_from_the_hub(server: FileServer, retry: RetryPolicy):
    data = safetensors()
    server.publish_on_hub(REPOSITORY, data)
    found = hub.find_weights_file(REPOSITORY, retry, server.url)
    assert (found.name, found.size, found.sha256) == ("model.safetensors", len(data), digest.sha256_of_bytes(data))
    assert found.url == f"{server.url}/{REPOSITORY}/resolve/{COMMIT}/model.safetensors", "pinned to the commit"
    assert found.revision == COMMIT


def test_a_torch_file_is_found_without_safetensors(server: FileServer, retry: RetryPolicy):
    server.publish_on_hub(REPOSITORY, b"x", name="pytorch_model.bin")
    assert hub.find_weights_file(REPOSITORY, retry, server.url).name == "pytorch_model.bin"


def test_a_busy_hub_is_retried(server: FileServer, retry: RetryPolicy, time: FakeTime):
    server.publish_on_hub(REPOSITORY, safetensors())
    server.files[MAIN].faults = [Fault(429, {"Retry-After": "40"}), Fault(503)]
    assert hub.find_weights_file(REPOSITORY, retry, server.url).revision == COMMIT
    assert time.slept == [40.0, 2.0]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(404, {"X-Error-Code": "RepoNotFound"}), "not found, or private"),
        (Fault(403, {"X-Error-Code": "GatedRepo"}), "is gated; accept its terms"),
        (Fault(403), "HF_TOKEN"),
        (Fault(418), "was refused"),
        (Fault(200), "not answered by a model hub"),
    ],
)
def test_a_permanent_error_is_reported(
    server: FileServer, retry: RetryPolicy, time: FakeTime, fault: Fault, message: str
):
    server.publish_on_hub(REPOSITORY, safetensors())
    server.files[MAIN].faults = [fault]
    with pytest.raises(DownloadError, match=message):
        hub.find_weights_file(REPOSITORY, retry, server.url)
    assert time.slept == []


def test_a_repository_without_weights_fails(server: FileServer, retry: RetryPolicy):
    with pytest.raises(DownloadError, match=r"has none of model\.safetensors, pytorch_model\.bin"):
        hub.find_weights_file(REPOSITORY, retry, server.url)


def test_no_network_fails(retry: RetryPolicy):
    with pytest.raises(DownloadError, match="no connection"):
        hub.find_weights_file(REPOSITORY, retry, "http://127.0.0.1:1")
