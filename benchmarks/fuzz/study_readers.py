"""Readers of what a user writes or downloads: study, settings, scores, tables and lists."""

import tomllib
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from aggregate.published.accuracies import read_accuracies
from aggregate.scores import scores
from alignsec.catalogue import brainscore_registry
from alignsec.catalogue.brainscore_registry import RegistryError
from alignsec.errors import ConfigErrors
from alignsec.study.published import ResultsTable
from alignsec.study.study import Study
from benchmarks.fuzz.containers import edit_zip_members
from benchmarks.fuzz.documents import csv_documents, setting_documents, toml_documents
from benchmarks.fuzz.reader import Reader
from submit.images import labelling, sampling
from submit.images.files import Folder
from submit.site import Site
from tests.alignsec.catalogue.registry_package import PLUGINS
from tests.alignsec.study.study_text import GOOD
from tests.paths import CHECKOUT

STUDIES = (CHECKOUT / "tests/fixtures/run-2026-11/study.toml", CHECKOUT / "studies/imagenet-sample.toml")
SCORES = [
    ["Rank", "Model", "average_vision", "neural_vision", "V1", "behavior_vision", "Hebart2023-match"],
    ["1", "a", "0.4", "0.3", "0.3", "0.5", "0.5"],
    ["2", "b", "0.1", "0.1", "0.1", "", "X"],
]
TIDY = [["model", "benchmark", "score"], ["a", "V1", "0.3"], ["a", "V2", "0.4"], ["b", "V1", ".1"]]
ROBUST = [["id", "eps", "clean", "aa"], ["a", "4/255", "76.1", "34.9"], ["b", "8/255", "70.0", "30.0"]]
PUBLISHED = [["model", "top1"], ["resnet50.a1_in1k", "81.2"], ["vit", "79"]]
LABELS = [["file", "label"], ["n01440764/a.png", "0"], ["n01443537/b.png", "n01443537"], ["c.png", "2"]]
KAGGLE = "ImageId,PredictionString\nILSVRC2012_val_00000001,n01440764 1 2 3 4\nILSVRC2012_val_00000002,n01443537\n"


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    return "".join(",".join(row) + "\n" for row in rows).encode()


def _zip(files: dict[str, bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _image_folder(folder: Path) -> Folder:
    """Return a folder with the images that LABELS names; it is made at the first call."""
    root = folder / "labelled"
    for name in ("n01440764/a.png", "n01443537/b.png", "c.png", "ILSVRC2012_val_00000001.png"):
        path = root / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4)).save(path)
    return Folder(root)


def _read_list(path: Path) -> None:
    found, _ = labelling.label_by_file(_image_folder(path.parent), _labels(path.parent))
    sampling.select_listed(found, path)


def _labels(folder: Path) -> Path:
    path = folder / "labels-of-list.csv"
    if not path.exists():
        path.write_bytes(_csv(LABELS))
    return path


SITES = (
    b"SITE=chtc\nWEIGHTS_URL=osdf:///chtc/staging/b/bucky\nWANT_GPU_LAB=true\nREQUEST_GPUS=1\n",
    b'SITE=ospool\nPROJECT_NAME="A_b"\nREQUIREMENTS=(HasCHTCStaging == true) && TARGET.Memory > 100\n',
    b"SITE=generic\nCONTAINER_IMAGE=docker://a/b:1\nGPUS_MINIMUM_CAPABILITY=7.5\nPYTHON=~/x\n",
)

READERS = (
    Reader(
        name="study",
        read=lambda path: Study.load(path, files_must_exist=False),
        corpus=lambda _: [GOOD.encode(), *(study.read_bytes() for study in STUDIES)],
        allowed=(ConfigErrors,),
        documents=toml_documents(tomllib.loads(STUDIES[0].read_text(encoding="utf-8")))
        | toml_documents(tomllib.loads(GOOD)),
    ),
    Reader(
        name="settings",
        read=lambda path: Site.read(path, environ={"STAGING": "/staging/b/bucky"}),
        corpus=lambda _: [(CHECKOUT / ".env").read_bytes(), *SITES],
        allowed=(ConfigErrors,),
        file=".env",
        documents=setting_documents([key.upper() for key in Site.model_fields]),
    ),
    Reader(
        name="scores",
        read=lambda path: scores.parse_scores(path.read_bytes()),
        corpus=lambda _: [_csv(SCORES), _csv(TIDY), b"# Generated on 2025-09-08 (x)\n" + _csv(SCORES)],
        documents=csv_documents(SCORES) | csv_documents(TIDY),
    ),
    Reader(
        name="scores-zip",
        read=lambda path: scores.parse_scores(path.read_bytes()),
        corpus=lambda _: [_zip({"leaderboard.csv": _csv(SCORES), "plugin-info.csv": b"a,b\n"})],
        edits=(edit_zip_members,),
    ),
    Reader(
        name="numbers",
        read=read_accuracies,
        corpus=lambda _: [
            _csv(ROBUST),
            b"Model Name,Epsilon,Top-1 Accuracy\na,0,0.8\na,0.00392,0.2\n",
            b"Model Name,Top-1 Accuracy Linf 0.00392\na,0.2\n",
            b"model,attack,eps,robust_accuracy,clean_accuracy,images\na,AA,4/255,0.4%,70%,1000\n",
        ],
        allowed=(ConfigErrors,),
        file="linf.csv",
        documents=csv_documents(ROBUST),
    ),
    Reader(
        name="published",
        read=ResultsTable.read,
        corpus=lambda _: [_csv(PUBLISHED)],
        allowed=(ConfigErrors,),
        documents=csv_documents(PUBLISHED),
    ),
    Reader(
        name="labels",
        read=lambda path: labelling.label_by_file(_image_folder(path.parent), path),
        corpus=lambda _: [_csv(LABELS), KAGGLE.encode(), b"490\n361\n", b"file,label,wnid\nc.png,0,n01440764\n"],
        allowed=(ConfigErrors,),
        documents=csv_documents(LABELS),
    ),
    Reader(
        name="image-list",
        read=_read_list,
        corpus=lambda _: [b"# list\nn01440764/a.png\nb.png\n", b"val/ILSVRC2012_val_00000001.JPEG\nc.png\n"],
        allowed=(ConfigErrors,),
    ),
    Reader(
        name="registry",
        read=brainscore_registry.read_registrations,
        corpus=lambda _: [
            _zip({f"brainscore_vision/models/{name}/__init__.py": text.encode() for name, text in PLUGINS.items()})
        ],
        allowed=(RegistryError,),
        file="brainscore_vision.whl",
        edits=(edit_zip_members,),
    ),
)
