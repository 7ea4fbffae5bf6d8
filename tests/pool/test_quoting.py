"""The values of .env reach the job unchanged, as the real condor_submit shows."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alignsec.run.folder import RunFolder
from submit.condor import description
from submit.pool.pool import Pool
from tests import tiny
from tests.submit.plans import estimated_requests, plan, site, split_arguments

WORDS = st.text(
    st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters='"'), min_size=1, max_size=20
)
"""Values that Site accepts: one line without double quotes."""


def ad(pool: Pool, folder: Path, text: str) -> dict[str, str]:
    """Return the job's ClassAd as condor_submit would send it."""
    (RunFolder(folder).job_script).write_text(description.job_script())
    (folder / "pair.sub").write_text(text)
    macros = {"JOB": "node", "shard": "some", **estimated_requests(tiny.pair()).node_vars}
    added = [word for name, value in macros.items() for word in ("-a", f"{name} = {value}")]
    done = pool.run(["condor_submit", "-dry-run", "-", *added, "pair.sub"], cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(python=WORDS, project=st.from_regex(r"[A-Za-z0-9_.+-]{1,20}", fullmatch=True))
def test_paths_and_projects_are_unchanged(pool: Pool, tmp_path: Path, python: str, project: str) -> None:
    given_site = site(SITE="generic", PYTHON=f"/opt/{python}", PROJECT_NAME=project)
    found = ad(pool, tmp_path, "\n".join(description.pair_description(plan(), given_site)) + "\n")
    arguments = found["Arguments"][1:-1].replace("\\\\", "\\")
    job = ["jobs.evaluate", "some.json", "--pair", "node", "--checkpoint-every", "7200"]
    expected = ["outcome.json", f"/opt/{python}", *job]
    assert split_arguments(arguments) == expected
    assert found["ProjectName"] == f'"{project}"'


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(image=WORDS.map(str.strip).filter(lambda text: text and not text.startswith("/")))
def test_the_image_is_one_attribute(pool: Pool, tmp_path: Path, image: str) -> None:
    """No image name adds or replaces another attribute."""
    text = "\n".join(description.pair_description(plan(), site(CONTAINER_IMAGE=f"docker://{image}"))) + "\n"
    plain = "\n".join(description.pair_description(plan(), site(CONTAINER_IMAGE="docker://x"))) + "\n"
    assert ad(pool, tmp_path, text).keys() == ad(pool, tmp_path, plain).keys()
