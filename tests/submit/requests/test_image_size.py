"""Size of the container image: from the file, the setting, or the site's assumed size."""

from pathlib import Path

from submit.requests.image_size import image_mb
from tests.submit.plans import site


def test_the_size_of_an_image(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.sif", tmp_path / "root"
    file.write_bytes(b"x" * 2_500_000)
    folder.mkdir()
    (folder / "a").write_bytes(b"x" * 1_200_000)
    assert image_mb(site()) == 0
    assert image_mb(site(CONTAINER_IMAGE=str(file))) == 3
    assert image_mb(site(CONTAINER_IMAGE=str(folder))) == 2
    assert image_mb(site(CONTAINER_IMAGE=str(file), CONTAINER_IMAGE_MB="70")) == 70
    assert image_mb(site(CONTAINER_IMAGE="docker://a/b")) == 10_000
    assert image_mb(site(CONTAINER_IMAGE="docker://a/b", DOCKER_UNIVERSE="true")) == 0
    assert image_mb(site(SITE="chtc", CONTAINER_IMAGE="osdf:///chtc/staging/b/bucky/a.sif")) == 10_000
