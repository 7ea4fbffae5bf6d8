"""A plan of one tiny pair, a site, and resource requests, for tests of submit."""

from alignsec.run.plan import Plan, PlannedPair
from alignsec.spec.pair import Pair
from submit.requests import estimate
from submit.requests.estimate import InputSizes
from submit.requests.measurements import Measurements
from submit.requests.requests import ResourceRequests
from submit.site import Site
from tests import tiny
from tests.paths import CHECKOUT


def plan() -> Plan:
    """Return a plan of one tiny pair."""
    pair = tiny.pair()
    return Plan(
        name="n",
        title="t",
        seed=0,
        study_sha256="a" * 64,
        code_sha256="b" * 64,
        written="now",
        scores=None,
        images=pair.images,
        image_count=4,
        planned=(PlannedPair(pair=pair, inputs=("weights/w.safetensors", "images/images.tar")),),
    )


def site(**keys: str) -> Site:
    """Return the default site with some keys changed."""
    return Site.read(CHECKOUT / ".env", {"PYTHON": "/usr/bin/python3", **keys})


def estimated_requests(pair: Pair, weights_bytes: int = 4000) -> ResourceRequests:
    """Return the resource requests that follow from a pair's estimate alone."""
    sizes = InputSizes(weights_bytes, 10_000, 1000)
    made = estimate.estimate_resources(pair, sizes, 4, Measurements([]), "cpu")
    return ResourceRequests(("weights/w.safetensors",), made.memory_mb, 2 * made.memory_mb, 512, 1024, 0, made)


def split_arguments(text: str) -> list[str]:
    """Split an arguments line by the manual's rule.

    Words are separated by spaces and tabs outside single quotes; two single quotes inside quotes are one.
    """
    words, word, inside, started, at = [], "", False, False, 0
    while at < len(text):
        character = text[at]
        if character == "'":
            if inside and text[at + 1 : at + 2] == "'":
                word, at = word + "'", at + 1
            else:
                inside, started = not inside, True
        elif character in " \t" and not inside:
            if word or started:
                words.append(word)
            word, started = "", False
        else:
            word += character
        at += 1
    return [*words, word] if word or started else words
