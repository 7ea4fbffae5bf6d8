"""Transfer: how a checkpoint reaches a job, and whether the pool takes a file of its size that way.

CHTC's rules for inputs: below 1 GB as a plain path, 1 to 30 GB by osdf:///, 30 to 100 GB by file:///staging.
"""

from pathlib import Path

from alignsec.mistake import Mistake
from submit.layout import Checked
from submit.site import Site

GB = 1_000_000_000
MOST_BYTES = {"": 1 * GB, "osdf": 30 * GB, "file": 100 * GB}
"""By the way, at CHTC; empty: HTCondor copies it from the access point."""
NEXT = {
    "": "let make weights stage it, and set WEIGHTS_URL=osdf:///chtc/staging/NAME/weights in .env",
    "osdf": "set WEIGHTS_URL=file:///staging/NAME/weights and REQUIREMENTS=(HasCHTCStaging == true) in .env",
    "file": "no job takes so much there",
}


def address(path: Path, below: str, site: Site, weights: Path) -> str:
    """What a job's transfer list says for a file of the run folder: its path there, or where the site staged it.

    path: the file, which may be a link into the site's weights folder. below: its path below the run folder.
    """
    real = path.resolve()
    if site.weights_url and real.parent == weights.resolve() and real.name == path.name:
        return f"{site.weights_url.rstrip('/')}/{path.name}"
    return below


def mistakes(checked: Checked, site: Site, weights: Path) -> list[Mistake]:
    """The models whose checkpoint is larger than CHTC takes the way it would go; none on another pool."""
    if not site.at_chtc:
        return []
    told = []
    for index, model in enumerate(checked.study.models):
        one = checked.weights.get(model.name)
        if one is None:
            continue
        staged = bool(site.weights_url) and one.path.resolve().parent == weights.resolve()
        way = site.weights_url.partition(":")[0] if staged else ""
        if one.bytes >= MOST_BYTES.get(way, MOST_BYTES["osdf"]):
            how = f"by {way}://" if way else "as a plain input"
            size = f"{one.bytes / GB:.1f} GB, more than the {MOST_BYTES[way] // GB} GB that CHTC takes {how}"
            given = f'"{model.name}"'
            told.append(
                Mistake(str(checked.path), f"models[{index}]", given, f"has weights of {size}; {NEXT[way]}")
            )
    return told
