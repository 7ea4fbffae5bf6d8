"""Transfer: how a checkpoint reaches a job, and whether the pool takes a file of its size that way."""

from pathlib import Path

from alignsec.errors import ConfigError
from submit import chtc
from submit.site import Site
from submit.validation import ValidatedStudy

NEXT: dict[chtc.Way, str] = {
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


def errors(checked: ValidatedStudy, site: Site, weights: Path) -> list[ConfigError]:
    """The models whose checkpoint is larger than CHTC takes the way it would go; none on another pool."""
    if not site.at_chtc:
        return []
    told = []
    for index, model in enumerate(checked.study.models):
        one = checked.weights.get(model.name)
        if one is None:
            continue
        staged = bool(site.weights_url) and one.path.resolve().parent == weights.resolve()
        url = site.weights_url if staged else ""
        if refusal := chtc.refusal(one.bytes, url):
            remedy = f"has weights of {one.bytes / chtc.GB:.1f} GB, {refusal}; {NEXT[chtc.transfer_method(url)]}"
            told.append(
                ConfigError(path=checked.path, field=f"models[{index}]", given=f'"{model.name}"', remedy=remedy)
            )
    return told
