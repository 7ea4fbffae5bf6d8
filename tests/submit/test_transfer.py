"""Transfer of inputs to jobs: from the run folder or from staging, and CHTC's size limits."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alignsec.images.pack import Candidate
from alignsec.run.folder import RunFolder
from submit import layout, transfer, validation
from submit.condor import description
from submit.digest_cache import DigestCache
from submit.images.selection import Selection
from submit.images.store import PackStore
from submit.requests import requests
from submit.requests.measurements import Measurements
from submit.site import Site
from submit.validation import ValidatedStudy
from submit.weights.locate import LocatedWeights
from tests import tiny
from tests.submit.plans import site

OSDF_IMAGES = "osdf:///chtc/staging/m/me/images"
OSDF_WEIGHTS = "osdf:///chtc/staging/m/me/weights"


@pytest.mark.parametrize("url", ["", OSDF_IMAGES, f"{OSDF_IMAGES}/"])
def test_a_job_receives_only_the_packs_of_its_pair(
    tmp_path: Path, study_file: Callable[..., Path], env_file: Callable[..., Path], url: str
):
    path = study_file("a", attacks=tiny.FOG, images='corrupted = "c"')
    for severity in (1, 2):
        for at, image in enumerate(sorted((path.parent / "images").rglob("*.png"))):
            place = path.parent / "c" / "fog" / str(severity) / image.relative_to(path.parent / "images")
            tiny.write_image(place, seed=1000 * severity + at)
    given, folder = Site.read(env_file(site="chtc", images_url=url)), RunFolder(tmp_path / "run")
    plan = layout.write_run_folder(
        validation.validate(path, tmp_path / "hub"), folder, PackStore(tmp_path / "packs", DigestCache(None))
    )
    base = f"{OSDF_IMAGES}/" if url else "images/"
    requested = requests.request_resources(plan, folder, given, tmp_path / "weights", Measurements([]))
    clean, *fogs = [requested[pair.id].files for pair in plan]
    assert [file for file in clean if "images" in file] == []
    for files, pair in zip(fogs, list(plan)[1:], strict=True):
        assert [file for file in files if "images" in file] == [f"{base}{pair.corrupted.name}"]
    lines = description.pair_description(plan, given)
    (inputs,) = [line for line in lines if line.startswith("transfer_input_files")]
    assert inputs.endswith(f", $(files), {base}{plan.images.name}")


def selection(image_bytes: int) -> Selection:
    return Selection([Candidate(f"{at}.png", 0, Path("x.tar"), 0, image_bytes) for at in range(1000)], {}, 1000)


def images_errors(image_bytes: int, **keys: str) -> list[str]:
    given = site(**{"SITE": "chtc", "REQUIREMENTS": "HasCHTCStaging", **keys})
    return [str(error) for error in transfer.images_size_errors(Path("s.toml"), selection(image_bytes), given)]


def test_a_selection_above_chtcs_limit_is_refused():
    assert images_errors(900_000) == []
    assert images_errors(1_000_000) == [
        "s.toml: images: selects 1.0 GB of images; CHTC accepts less than 1 GB as a plain input; "
        "set IMAGES=/staging/b/bucky/images and IMAGES_URL=osdf:///chtc/staging/b/bucky/images in .env"
    ]
    assert images_errors(1_000_000, IMAGES_URL=OSDF_IMAGES) == []
    (error,) = images_errors(31_000_000, IMAGES_URL=OSDF_IMAGES)
    assert error.endswith("in .env")
    (error,) = images_errors(31_000_000, IMAGES_URL="https://example.org/images")
    assert "CHTC accepts less than 30 GB by https://; set IMAGES_URL=file:///staging" in error
    assert images_errors(1_000_000, SITE="generic", REQUIREMENTS="") == [], "other pools have no such limit"


@pytest.mark.parametrize(
    ("gigabytes", "url", "message"),
    [
        (0.9, "", None),
        (1.2, "", "1.2 GB; CHTC accepts less than 1 GB as a plain input; stage it with make weights"),
        (1.2, OSDF_WEIGHTS, None),
        (31, OSDF_WEIGHTS, "31.0 GB; CHTC accepts less than 30 GB by osdf://; set WEIGHTS_URL=file:///staging"),
        (31, "file:///staging/m/me/w", None),
        (101, "file:///staging/m/me/w", "CHTC accepts less than 100 GB by file://; jobs cannot receive"),
        (31, "https://example.org/w", "31.0 GB; CHTC accepts less than 30 GB by https://; set WEIGHTS_URL="),
    ],
)
def test_weights_above_chtcs_limit_are_refused(
    validated: ValidatedStudy, tmp_path: Path, gigabytes: float, url: str, message: str | None
):
    weights = tmp_path / "weights"
    found = LocatedWeights(weights / "w.safetensors", "0" * 64, int(gigabytes * 1e9))
    large = replace(validated, weights={**validated.weights, "a": found})
    chtc = site(SITE="chtc", REQUIREMENTS="(HasCHTCStaging == true)", WEIGHTS_URL=url)
    errors = [str(error) for error in transfer.weights_size_errors(large, chtc, weights)]
    assert len(errors) == (message is not None)
    for error in errors:
        assert error.startswith(f'{large.path}: models[0]: "a" has weights of ')
        assert message in error
    assert transfer.weights_size_errors(large, site(), weights) == [], "other pools have no such limit"
