"""`timm:NAME`: every pretrained tag and every architecture of timm."""

from alignsec import timm_catalogue
from alignsec.mistake import nearest
from alignsec.sources.known import Known, UnknownModel


def known(name: str) -> Known:
    """What timm knows of one tag, such as `resnet50.a1_in1k`, or one architecture, such as `resnet50`.

    Raises UnknownModel with the nearest names.
    """
    entries = timm_catalogue.entries()
    if name not in entries:
        siblings = timm_catalogue.tags_of(name.split(".", maxsplit=1)[0])
        raise UnknownModel(f"is not a model of timm; {nearest(name, siblings or list(entries))}")
    entry = entries[name]
    if not entry.is_tag:
        return Known(classes=entry.classes, examples=tuple(timm_catalogue.tags_of(name)[:4]))
    return Known(
        preprocessing=entry.preprocessing or {},
        classes=entry.classes,
        weights=True,
        conversion="timm",
        hub=entry.hub,
        url=entry.url,
    )
