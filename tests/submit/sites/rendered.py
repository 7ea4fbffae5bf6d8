"""The submit files of every site for a study of one pair, as docs/sites shows them.

`python -m tests.submit.sites.rendered` writes them again after a change of the submit descriptions.
"""

from dataclasses import replace
from pathlib import Path

from submit.condor import dag, description
from submit.requests.image_size import image_mb
from submit.site import Site
from submit.sites.profile import profile_names
from tests.paths import CHECKOUT
from tests.submit.plans import estimated_requests, plan

FOLDER = CHECKOUT / "docs" / "sites"
EXAMPLES = {
    "local": {},
    "generic": {"CONTAINER_IMAGE": "docker://ghcr.io/example/alignsec:v1", "REQUEST_GPUS": "1"},
    "chtc": {
        "CONTAINER_IMAGE": "osdf:///chtc/staging/b/bucky/alignsec-v1.sif",
        "WEIGHTS": "/staging/b/bucky/weights",
        "WEIGHTS_URL": "osdf:///chtc/staging/b/bucky/weights",
        "IMAGES": "/staging/b/bucky/images",
        "IMAGES_URL": "osdf:///chtc/staging/b/bucky/images",
    },
    "ospool": {
        "CONTAINER_IMAGE": "osdf:///ospool/ap40/data/bucky/alignsec-v1.sif",
        "PROJECT_NAME": "Wisc_Alignsec",
    },
}
"""Settings of each site in addition to its profile, as a user's .env gives them."""


def example_site(name: str) -> Site:
    """Return the example settings of a site."""
    keys = {"SITE": name, "PYTHON": "/usr/bin/python3", **EXAMPLES[name]}
    return Site.read(CHECKOUT / ".env", keys)


def render() -> dict[Path, str]:
    """Return the text of each submit file and DAG, by path."""
    texts = {}
    for name in profile_names():
        site, planned = example_site(name), plan()
        disk = site.request_disk_mb + image_mb(site)
        requested = {
            pair.id: replace(estimated_requests(pair), disk_mb=disk, larger_disk_mb=2 * disk) for pair in planned
        }
        for file, lines in (
            ("pair.sub", description.pair_description(planned, site)),
            ("final.sub", description.final_description(planned, site)),
            ("study.dag", dag.dag_lines(planned, site, requested, ())),
        ):
            texts[FOLDER / name / file] = "".join(f"{line}\n" for line in lines)
    return texts


if __name__ == "__main__":
    for path, text in render().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
