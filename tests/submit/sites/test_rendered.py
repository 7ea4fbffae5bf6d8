"""The submit files of every site: as docs/sites shows them, and as HTCondor's own parser reads them."""

import htcondor2
import pytest

from submit.sites.profile import profile_names
from tests.submit.sites.rendered import EXAMPLES, FOLDER, render


def test_every_site_has_an_example() -> None:
    assert set(EXAMPLES) == set(profile_names())


def test_the_files_in_docs_are_current() -> None:
    """If not, run: python -m tests.submit.sites.rendered."""
    files = {path: path.read_text(encoding="utf-8") for path in FOLDER.rglob("*") if path.is_file()}
    assert files == render()


@pytest.mark.parametrize("name", profile_names())
@pytest.mark.parametrize("file", ["pair.sub", "final.sub"])
def test_htcondor_reads_the_submit_files(name: str, file: str) -> None:
    text = render()[FOLDER / name / file]
    read = htcondor2.Submit(text.removesuffix("queue\n"))
    assert read["executable"] == "job.sh"
    container = name != "local"
    assert read["universe"] == ("container" if container else "vanilla")
    gpu = container and file == "pair.sub"
    assert ("request_gpus" in read) == gpu
    assert ("+WantGPULab" in text) == (gpu and name == "chtc")
    assert ('+ProjectName = "Wisc_Alignsec"' in text) == (name == "ospool")
