"""An image built by Apptainer from the project's recipe, and a job of the container universe in it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from submit.containers.recipe import Recipe
from submit.pool import apptainer, packages
from submit.pool.pool import PoolOptions
from tests.paths import CHECKOUT
from tests.pool.container_image import add_python, make_root_filesystem
from tests.pool.pool_steps import MakePool, submit, wait_for_end

JOB = """\
universe = container
container_image = {image}
executable = /bin/sh
transfer_executable = False
arguments = "-c 'python3 -c ''import pydantic, dotenv, rich, PIL; print(pydantic.VERSION)'''"
should_transfer_files = YES
request_memory = 64
output = out
error = err
"""


def test_an_image_is_built_from_the_recipe_and_runs_a_job(make_pool: MakePool, tmp_path: Path) -> None:
    """The base image, the compiler and torch are gigabytes from a registry. Here, the base is this machine's
    Python, and the requirements are the access point's, installed with their hashes.
    """
    make_root_filesystem(tmp_path / "base")
    add_python(tmp_path / "base")
    (tmp_path / "base/opt").mkdir()
    shutil.copytree(CHECKOUT / "requirements", tmp_path / "requirements")
    imports = "import pydantic, dotenv, rich, PIL"
    recipe = Recipe(
        requirements="requirements/access-point.txt",
        requirements_sha256="0" * 64,
        version="9.9.9",
        bootstrap="localimage",
        base="base",
        debian=(),
        imports=imports,
    )
    (tmp_path / "alignsec.def").write_text(recipe.apptainer())
    pool = make_pool("contained", apptainer=True)
    program = packages.install_bundle(apptainer.BUNDLE, PoolOptions().cache) / "bin/apptainer"
    # Without root, Apptainer makes the namespace itself.
    namespace = ["unshare", "-Ur"] if os.geteuid() == 0 else []
    words = [*namespace, str(program), "build", "--sandbox", "image", "alignsec.def"]
    # The certificates of this machine, for uv. Apptainer passes no environment variable to %post.
    (tmp_path / "base/etc/ssl/certs").mkdir(parents=True)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", tmp_path / "base/etc/ssl/certs")
    (tmp_path / "base/etc/uv").mkdir()
    (tmp_path / "base/etc/uv/uv.toml").write_text("system-certs = true\n")
    built = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    image = tmp_path / "image"
    labels = json.loads((image / ".singularity.d/labels.json").read_text())
    assert {key: labels.get(key) for key in recipe.labels} == recipe.labels
    assert not (image / "opt/uv.txt").exists()
    # HTCondor transfers no links to folders.
    for link in [path for path in image.rglob("*") if path.is_symlink() and path.is_dir()]:
        link.unlink()
    wait_for_end(pool, submit(pool, tmp_path, JOB.format(image=image)))
    assert (
        "\npydantic==" + (tmp_path / "out").read_text().strip() in (CHECKOUT / recipe.requirements).read_text()
    ), (tmp_path / "err").read_text()
