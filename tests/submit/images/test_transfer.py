"""Transfer of packs to a job, including those of corruptions, from the run folder or from staging."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.images.pack import Candidate
from alignsec.run.folder import RunFolder
from submit import layout, validation
from submit.condor import description
from submit.digest_cache import DigestCache
from submit.images import transfer
from submit.images.selection import Selection
from submit.images.store import PackStore
from submit.requests import requests
from submit.requests.measurements import Measurements
from submit.site import Site
from tests import tiny

OSDF = "osdf:///chtc/staging/me/images"


@pytest.mark.parametrize("url", ["", OSDF, f"{OSDF}/"])
def test_a_job_receives_only_the_packs_of_its_pair(
    tmp_path: Path, study_file: Callable[..., Path], env_file: Callable[..., Path], url: str
):
    path = study_file("a", attacks=tiny.FOG, images='corrupted = "c"')
    for severity in (1, 2):
        for at, image in enumerate(sorted((path.parent / "images").rglob("*.png"))):
            place = path.parent / "c" / "fog" / str(severity) / image.relative_to(path.parent / "images")
            tiny.write_image(place, seed=1000 * severity + at)
    site, folder = Site.read(env_file(images_url=url)), RunFolder(tmp_path / "run")
    plan = layout.write(
        validation.validate(path, tmp_path / "hub"), folder, PackStore(tmp_path / "packs", DigestCache(None))
    )
    base = f"{OSDF}/" if url else "images/"
    asked = requests.request_resources(plan, folder, site, tmp_path / "weights", Measurements([]))
    clean, *fogs = [asked[pair.id].files for pair in plan]
    assert [file for file in clean if "images" in file] == []
    for files, pair in zip(fogs, list(plan)[1:], strict=True):
        assert [file for file in files if "images" in file] == [f"{base}{pair.corrupted.name}"]
    (inputs,) = [line for line in description.pair(plan, site) if line.startswith("transfer_input_files")]
    assert inputs.endswith(f", $(files), {base}{plan.images.name}")


def selection(size: int) -> Selection:
    return Selection([Candidate(f"{at}.png", 0, Path("x.tar"), 0, size) for at in range(1000)], {}, 1000)


def test_a_selection_above_chtcs_limit_is_refused(env_file: Callable[..., Path]):
    plain = Site.read(env_file(want_gpu_lab="true"))
    assert transfer.errors(Path("s.toml"), selection(900_000), plain) == []
    (error,) = transfer.errors(Path("s.toml"), selection(1_000_000), plain)
    assert "chooses 1.0 GB of images, more than the 1 GB that CHTC takes as a plain input" in error.remedy
    assert "IMAGES_URL=osdf:///chtc/staging/NAME/images" in error.remedy
    staged = Site.read(env_file(want_gpu_lab="true", images_url=OSDF))
    assert transfer.errors(Path("s.toml"), selection(1_000_000), staged) == []
    assert transfer.errors(Path("s.toml"), selection(31_000_000), staged)[0].remedy.endswith("in .env")
    elsewhere = Site.read(env_file(want_gpu_lab="true", images_url="https://example.org/images"))
    (error,) = transfer.errors(Path("s.toml"), selection(31_000_000), elsewhere)
    assert "more than the 30 GB that CHTC takes by https://; set IMAGES_URL=file:///staging" in error.remedy
    assert transfer.errors(Path("s.toml"), selection(1_000_000), Site.read(env_file())) == []


def test_staging_needs_a_requirement(env_file: Callable[..., Path]):
    with pytest.raises(ConfigErrors, match="IMAGES_URL lies on /staging, which not every machine has"):
        Site.read(env_file(images_url="file:///staging/me/images"))
