"""Estimates compared with a real job: ResNet-18 at 224 pixels."""

import os
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image

from alignsec.models.classifier import Classifier
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.spec.preprocessing import Preprocessing
from submit import layout, validation
from submit.local import LocalRun
from submit.requests import measurements, requests
from submit.requests.measurements import Measurements
from tests import tiny, tiny_networks
from tests.submit.plans import site

ARCHITECTURE = "resnet18"
IMAGES = 6
WITHIN = 2.5
"""Largest accepted ratio of request to need. A request twice too large still finds a machine; one that is too
small holds the job."""


def test_a_job_needs_almost_the_memory_that_it_requests(tmp_path: Path):
    """Compares the peak memory of the job's process, from the kernel, with its request."""
    torch.manual_seed(0)
    network = timm.create_model(ARCHITECTURE).eval()
    tiny_networks.save(network, tmp_path / "w.safetensors")
    preprocessing = {"input_size": (3, 224, 224), "mean": (0.5,) * 3, "std": (0.25,) * 3}
    how = Preprocessing(**preprocessing, interpolation="bilinear", crop_pct=1)
    labels = []
    for number in range(IMAGES):
        tiny.write_image(tmp_path / "images" / f"{number}.png", seed=number, size=224, mode="RGB")
        pixels = torch.tensor(np.array(Image.open(tmp_path / "images" / f"{number}.png"))) / 255
        labels.append(int(Classifier(network, how)(pixels.permute(2, 0, 1)[None]).argmax()))
    # The labels are the predictions, because only correctly classified images are attacked.
    tiny.write_labels(tmp_path / "labels.csv", [(f"{number}.png", label) for number, label in enumerate(labels)])
    (tmp_path / "study.toml").write_text(
        f'name = "reality"\n[images]\nfolder = "images"\nlabels = "labels.csv"\n'
        f'[[models]]\nname = "m"\nsource = "timm:{ARCHITECTURE}"\nweights = "w.safetensors"\n'
        "[models.preprocessing]\ninput_size = [3, 224, 224]\nmean = [0.5, 0.5, 0.5]\nstd = [0.25, 0.25, 0.25]\n"
        'interpolation = "bilinear"\ncrop_pct = 1.0\n'
        '[[attacks]]\nmethod = "apgd-ce"\nnorm = "Linf"\neps = ["0.00001"]\nsteps = 2\n'
    )
    folder = RunFolder(tmp_path / "run")
    plan = layout.write_run_folder(validation.validate(tmp_path / "study.toml", tmp_path / "hub"), folder)
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    list(LocalRun(folder, sys.executable, environ, processes=2, retries=0).run(plan))
    (pair,) = plan
    record = outcome_file.read(folder.outcome(pair.id))
    assert isinstance(record, Record), record
    assert record.budgets[0].passes["apgd-ce"].backward >= IMAGES, "the attack computed gradients"
    requested = requests.request_resources(plan, folder, site(), tmp_path, Measurements([]))[pair.id]
    measured = measurements.measure_record(record)
    assert measured.peak_memory_mb is not None
    assert measured.peak_memory_mb < requested.memory_mb < WITHIN * measured.peak_memory_mb
    assert requested.estimate.transferred == sum(
        (folder.root / path).stat().st_size for path in (*plan.planned[0].inputs, "code.zip")
    )
