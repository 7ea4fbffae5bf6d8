"""The submit files of every site, as the real condor_submit reads them, and their DAGs."""

from pathlib import Path

import pytest

from alignsec.run.folder import RunFolder
from submit.condor import dag, description
from submit.pool.pool import Pool
from submit.sites.profile import profile_names
from tests import tiny
from tests.submit.plans import estimated_requests
from tests.submit.sites.rendered import FOLDER, render


@pytest.mark.parametrize("name", profile_names())
def test_condor_submit_accepts_the_files_of_every_site(pool: Pool, tmp_path: Path, name: str) -> None:
    folder = RunFolder(tmp_path)
    folder.job_script.write_text(description.job_script())
    texts = {path.name: text for path, text in render().items() if path.parent == FOLDER / name}
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    folder.dagman_config.write_text("\n".join(dag.dagman_config()) + "\n")
    folder.pre_script.write_text(dag.final_pre_script())
    macros = {"JOB": "node", "shard": "some", **estimated_requests(tiny.pair()).node_vars}
    added = [word for macro, value in macros.items() for word in ("-a", f"{macro} = {value}")]
    for file in ("pair.sub", "final.sub"):
        done = pool.run(["condor_submit", "-dry-run", "-", *added, file], cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "RequestDisk=" in done.stdout
        assert ("WantGPULab=true" in done.stdout) == (name == "chtc" and file == "pair.sub")
    done = pool.run(["condor_submit_dag", "-no_submit", "study.dag"], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
