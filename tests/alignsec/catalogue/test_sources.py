"""The registry of model sources, and every part of the project that is derived from it."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from alignsec.catalogue import sources
from alignsec.catalogue.model_info import UnknownModelError
from alignsec.models import classifier
from tests.alignsec.catalogue import toy_source
from tests.alignsec.study.study_text import GOOD, errors, load
from tests.paths import CHECKOUT

TOY_STUDY = GOOD.replace("timm:resnet18.a1_in1k", "toy:linear")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the toy source, as one more entry in the table does."""
    monkeypatch.setattr(sources, "SOURCES", (*sources.SOURCES, toy_source.ENTRY))


@pytest.mark.usefixtures("toy")
def test_a_new_source_needs_one_file_and_one_entry(tmp_path: Path):
    """A registered source works in a study file, in a job and in the recorded library versions."""
    (model,) = load(tmp_path, TOY_STUDY).models
    assert (model.source, model.class_count, model.needs_published_weights) == ("toy:linear", 1000, False)
    assert model.preprocessing.input_size == (1, 4, 4)
    loaded = classifier.load(model.to_pair_model(None, None), tmp_path, torch.device("cpu"))
    assert torch.equal(loaded(torch.rand(2, 1, 4, 4)), torch.zeros(2, 1000))
    assert "toy-networks" in sources.libraries()
    assert "toy" in sources.conversions()


@pytest.mark.usefixtures("toy")
def test_error_messages_name_a_new_source(tmp_path: Path):
    unknown, *_ = errors(tmp_path, TOY_STUDY.replace("toy:linear", "tuy:linear"))
    assert unknown.field == "models[0].source"
    assert 'or "toy:" and a name' in unknown.remedy
    (misspelt,) = errors(tmp_path, TOY_STUDY.replace("toy:linear", "toy:linaer"))
    assert "did you mean linear?" in misspelt.remedy
    with_alias = TOY_STUDY.replace("toy:linear", "checkpoint:toy/linear")
    (no_file,) = errors(tmp_path, with_alias)
    assert "is a checkpoint without a file" in no_file.remedy


def test_an_unregistered_source_is_an_error(tmp_path: Path):
    found, *_ = errors(tmp_path, TOY_STUDY)
    assert (found.field, found.given) == ("models[0].source", '"toy:linear"')
    with pytest.raises(UnknownModelError, match="has an unknown source"):
        sources.load_builder("toy:linear")


def test_a_source_without_a_model_list_publishes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The study then states preprocessing and weights itself."""
    entry = sources.ModelSource(scheme="plain", example="plain:x", builder=toy_source.ENTRY.builder)
    monkeypatch.setattr(sources, "SOURCES", (*sources.SOURCES, entry))
    (found,) = errors(tmp_path, TOY_STUDY.replace("toy:", "plain:"))
    assert "is an architecture without weights" in found.remedy


@pytest.mark.parametrize("entry", sources.SOURCES, ids=lambda entry: entry.scheme)
def test_every_entry_names_functions_that_exist(entry: sources.ModelSource):
    assert entry.example.startswith(f"{entry.scheme}:")
    for path in filter(None, (entry.builder, entry.reader)):
        module, _, function = path.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_the_alias_has_no_builder():
    with pytest.raises(UnknownModelError, match="is an alias"):
        sources.load_builder("checkpoint:timm/resnet50")
    assert sources.resolve_alias("checkpoint:timm/resnet50") == "timm:resnet50"


def test_readers_import_nothing_heavy():
    """The access point has no torch."""
    readers = [entry.reader.partition(":")[0] for entry in sources.SOURCES if entry.reader]
    program = f"import sys, {', '.join(readers)}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60
    )
    assert not {"torch", "timm", "torchvision", "numpy"} & set(done.stdout.split())
