"""Webdataset shards: tars whose neighbours `KEY.jpg` and `KEY.cls` are an image and its label."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images.pack import Candidate
from submit.images.files import SUFFIXES, Place, read_tar

LABELS = ("cls", "cls.txt", "json")
"""Endings of a label: a number as text, or JSON with a field `label`."""


def read(shards: Sequence[Path]) -> list[Candidate]:
    """Every labelled image, named by its key. Raises Mistakes for samples that lack an image or a label."""
    found, errors = [], []
    for shard in shards:
        for key, parts in _samples(shard).items():
            images = [ending for ending in parts if f".{ending}".lower() in SUFFIXES]
            label = _label(parts)
            if len(images) != 1 or label is None:
                has = ", ".join(sorted(parts)) or "nothing"
                remedy = "needs one image and a label in .cls, or in .json as label; it has " + has
                errors.append(ConfigError(path=shard, field=key, remedy=remedy))
                continue
            place = parts[images[0]]
            found.append(Candidate(f"{key}.{images[0]}", label, place.path, place.offset, place.size))
    if errors:
        raise ConfigErrors(errors)
    return found


def _samples(shard: Path) -> dict[str, dict[str, Place]]:
    """Of each key, its parts by their endings; the key is all before the first dot of the base name."""
    samples: dict[str, dict[str, Place]] = defaultdict(dict)
    for member in read_tar(shard):
        folder, slash, base = member.name.removeprefix("./").rpartition("/")
        key, dot, ending = base.partition(".")
        if member.isfile() and key and dot:
            samples[f"{folder}{slash}{key}"][ending] = Place(shard, member.offset_data, member.size)
    return samples


def _label(parts: dict[str, Place]) -> int | None:
    for ending in LABELS:
        for text in _texts(parts, ending):
            try:
                label = json.loads(text)
                return int(label["label"] if isinstance(label, dict) else label)
            except (ValueError, KeyError, TypeError):
                return None
    return None


def _texts(parts: dict[str, Place], ending: str) -> Iterator[bytes]:
    if place := parts.get(ending):
        yield Candidate("", 0, place.path, place.offset, place.size).read()
