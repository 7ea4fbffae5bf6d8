"""A study whose pairs and FINAL node are container-universe jobs, with CONTAINER_IMAGE in .env."""

import sys
import sysconfig
from pathlib import Path

from alignsec.run.event_log import EventLog
from tests.pool.container_image import make_root_filesystem
from tests.pool.pool_steps import MakePool
from tests.pool.runs import TinyRun

STARTER = """#!/bin/sh
export PYTHONHOME=/opt/python LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=$PYTHONPATH:/opt/site
exec /opt/python/bin/python3 "$@"
"""


def test_a_study_runs_in_containers(make_pool: MakePool, tmp_path: Path) -> None:
    """Pair and FINAL node run inside the image, where python3 on PATH is the image's.

    An image with torch needs gigabytes and minutes. Here the pool therefore binds this machine's Python and
    libraries into the image, as pools do with their software. The image has a shell and a python3 to start them.
    """
    image = tmp_path / "image"
    make_root_filesystem(image)
    starter = image / "usr/local/bin/python3"
    starter.parent.mkdir(parents=True)
    starter.write_text(STARTER)
    starter.chmod(0o755)
    binds = {sys.base_prefix: "/opt/python", sysconfig.get_path("purelib"): "/opt/site", "/usr/lib": "/usr/lib"}
    for inside in binds.values():
        (image / inside.removeprefix("/")).mkdir(parents=True, exist_ok=True)
    bound = " ".join(f"{Path(outside).resolve()}:{inside}" for outside, inside in binds.items())
    pool = make_pool("contained", apptainer=True, extra=f'SINGULARITY_BIND_EXPR = "{bound} /lib /lib64"\n')
    tiny = TinyRun(tmp_path / "study", pool)
    tiny.submit(CONTAINER_IMAGE=image, PYTHON="/not/used/in/a/container")
    assert tiny.wait_for("ended").counts["ok"] == 1
    assert tiny.exit_code() == 0
    [record] = tiny.read_records().values()
    assert record.provenance.container == str(image)
    assert record.provenance.job == EventLog(tiny.run.events).nodes[record.id].job
    assert (tiny.run.analysis / "report.html").exists()
