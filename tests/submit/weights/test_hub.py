"""The hub, asked through its own library, as a stand-in of its HTTP interface answers."""

import pytest

from alignsec import digest
from submit.weights import hub
from submit.weights.retry import Failed, Patience
from tests.submit.weights.stand_in import COMMIT, FakeTime, Fault, StandIn, safetensors

REPOSITORY = "timm/resnet18.a1_in1k"
MAIN = f"/{REPOSITORY}/resolve/main/model.safetensors"


def test_size_digest_and_commit_are_the_hubs(server: StandIn, patience: Patience):
    data = safetensors()
    server.publish_on_hub(REPOSITORY, data)
    found = hub.find(REPOSITORY, patience, server.url)
    assert (found.name, found.size, found.sha256) == ("model.safetensors", len(data), digest.sha256_of_bytes(data))
    assert found.url == f"{server.url}/{REPOSITORY}/resolve/{COMMIT}/model.safetensors", "pinned to the commit"
    assert found.revision == COMMIT


def test_a_torch_file_where_there_are_no_safetensors(server: StandIn, patience: Patience):
    server.publish_on_hub(REPOSITORY, b"x", name="pytorch_model.bin")
    assert hub.find(REPOSITORY, patience, server.url).name == "pytorch_model.bin"


def test_a_busy_hub_is_waited_for(server: StandIn, patience: Patience, time: FakeTime):
    server.publish_on_hub(REPOSITORY, safetensors())
    server.files[MAIN].faults = [Fault(429, {"Retry-After": "40"}), Fault(503)]
    assert hub.find(REPOSITORY, patience, server.url).revision == COMMIT
    assert time.slept == [40.0, 2.0]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault(404, {"X-Error-Code": "RepoNotFound"}), "is not there, or private"),
        (Fault(403, {"X-Error-Code": "GatedRepo"}), "is gated; accept its terms"),
        (Fault(403), "HF_TOKEN"),
        (Fault(418), "is refused"),
        (Fault(200), "not answered by a model hub"),
    ],
)
def test_what_cannot_be_had_is_told(server: StandIn, patience: Patience, time: FakeTime, fault: Fault, says: str):
    server.publish_on_hub(REPOSITORY, safetensors())
    server.files[MAIN].faults = [fault]
    with pytest.raises(Failed, match=says):
        hub.find(REPOSITORY, patience, server.url)
    assert time.slept == []


def test_a_repository_without_weights(server: StandIn, patience: Patience):
    with pytest.raises(Failed, match=r"has none of model\.safetensors, pytorch_model\.bin"):
        hub.find(REPOSITORY, patience, server.url)


def test_no_network(patience: Patience):
    with pytest.raises(Failed, match="no connection"):
        hub.find(REPOSITORY, patience, "http://127.0.0.1:1")
