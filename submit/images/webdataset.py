"""WebDataset shards: tar archives in which `KEY.jpg` and `KEY.cls` are an image and its label."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images.pack import Candidate
from submit.images.files import SUFFIXES, ByteRange, read_tar

LABELS = ("cls", "cls.txt", "json")
"""Suffixes of a label: a number as text, or JSON with a field `label`."""


def read_shards(shards: Sequence[Path]) -> list[Candidate]:
    """Return every labelled image, named by its key and suffix.

    Raises:
        ConfigErrors: An error for each sample that lacks an image or a label.
    """
    found, errors = [], []
    for shard in shards:
        for key, parts in _read_samples(shard).items():
            images = [suffix for suffix in parts if f".{suffix}".lower() in SUFFIXES]
            label = _read_label(parts)
            if len(images) != 1 or label is None:
                has = ", ".join(sorted(parts)) or "nothing"
                remedy = f"must have one image and a label in .cls, or in .json as label; it has {has}"
                errors.append(ConfigError(path=shard, field=key, remedy=remedy))
                continue
            place = parts[images[0]]
            found.append(Candidate(f"{key}.{images[0]}", label, place.path, place.offset, place.size))
    if errors:
        raise ConfigErrors(errors)
    return found


def _read_samples(shard: Path) -> dict[str, dict[str, ByteRange]]:
    """Return the parts of each sample by suffix. The key is the path up to the first dot of the base name."""
    samples: dict[str, dict[str, ByteRange]] = defaultdict(dict)
    for member in read_tar(shard):
        folder, slash, base = member.name.removeprefix("./").rpartition("/")
        key, dot, suffix = base.partition(".")
        if member.isfile() and key and dot:
            samples[f"{folder}{slash}{key}"][suffix] = ByteRange(shard, member.offset_data, member.size)
    return samples


def _read_label(parts: dict[str, ByteRange]) -> int | None:
    for suffix in LABELS:
        for text in _read_texts(parts, suffix):
            try:
                label = json.loads(text)
                return int(label["label"] if isinstance(label, dict) else label)
            except (ValueError, KeyError, TypeError):
                return None
    return None


def _read_texts(parts: dict[str, ByteRange], suffix: str) -> Iterator[bytes]:
    if place := parts.get(suffix):
        yield Candidate("", 0, place.path, place.offset, place.size).read()
