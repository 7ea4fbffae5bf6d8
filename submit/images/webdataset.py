"""WebDataset shards: tar archives in which `KEY.jpg` and `KEY.cls` are an image and its label."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from alignsec import bounded, limits
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import class_names
from alignsec.images.pack import Candidate
from submit.images.files import SUFFIXES, ByteRange, is_system_name, read_tar

LABELS = ("cls", "cls.txt", "json")
"""Suffixes of a label: a number as text, or JSON with a field `label`."""


class _LabelError(Exception):
    """A member that contains no label; the message is its content."""


def read_shards(shards: Sequence[Path]) -> list[Candidate]:
    """Return every labelled image, named by its key and suffix.

    Raises:
        ConfigErrors: An error for each sample that lacks an image or a label.
    """
    found, errors = [], []
    for shard in shards:
        for key, parts in _read_samples(shard).items():
            images = [suffix for suffix in parts if f".{suffix}".lower() in SUFFIXES]
            try:
                label = _read_label(key, parts)
            except _LabelError as error:
                errors.append(ConfigError(path=shard, field=str(error.args[0]), remedy=str(error.args[1])))
                continue
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
        name = member.name.removeprefix("./")
        if not member.isfile() or any(is_system_name(part) for part in PurePosixPath(name).parts):
            continue
        folder, slash, base = name.rpartition("/")
        key, dot, suffix = base.partition(".")
        if not (key and dot):
            continue
        sample = samples[f"{folder}{slash}{key}"]
        if suffix in sample:
            remedy = "is twice in the shard; write the shard again"
            raise ConfigErrors([ConfigError(path=shard, field=name, remedy=remedy)])
        if member.issparse():
            remedy = "is a sparse file; write the shard again"
            raise ConfigErrors([ConfigError(path=shard, field=name, remedy=remedy)])
        sample[suffix] = ByteRange(shard, member.offset_data, member.size)
    return samples


def _read_label(key: str, parts: dict[str, ByteRange]) -> int | None:
    """Return the label of a sample, or None if it has no member with a label.

    Raises:
        _LabelError: A member contains no label, or two members contain different ones.
    """
    stated: dict[str, int] = {}
    for suffix in LABELS:
        if place := parts.get(suffix):
            member = f"{key}.{suffix}"
            text = _read_text(member, place)
            label = _parse_json(member, text) if suffix == "json" else _parse_text(member, text)
            if label is not None:
                stated[member] = label
    if len(set(stated.values())) > 1:
        both = " and ".join(f"{label} in {member}" for member, label in stated.items())
        raise _LabelError(key, f"has two labels, {both}; correct one of them")
    return next(iter(stated.values()), None)


def _read_text(member: str, place: ByteRange) -> str:
    if place.size is not None and place.size > limits.LABEL_BYTES:
        raise _LabelError(member, f"is larger than the limit of {limits.LABEL_BYTES:,} bytes for a label")
    data = Candidate("", 0, place.path, place.offset, place.size).read()
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _LabelError(member, "is not text in UTF-8; expected a label") from None


def _parse_text(member: str, text: str) -> int:
    label = class_names.parse_number(text)
    if label is None:
        raise _no_label(member, text)
    return label


def _parse_json(member: str, text: str) -> int | None:
    """Return the label in a JSON text, a number or the field `label` of a table; None if a table has none."""
    try:
        value = bounded.parse_json(text)
    except ValueError as error:
        raise _LabelError(member, f"is not valid JSON: {error}") from None
    if isinstance(value, dict):
        if "label" not in value:
            return None
        value = value["label"]
    # bool is a subclass of int, and 3.0 is not a whole number in JSON's text.
    if type(value) is int or isinstance(value, str):
        return _parse_text(member, str(value))
    raise _no_label(member, str(value))


def _no_label(member: str, text: str) -> _LabelError:
    given = ascii(text if len(text) <= 40 else f"{text[:37]}...")
    return _LabelError(
        member, f"has {given}, which is not a label; expected a whole number from 0 to {limits.LARGEST_LABEL:,}"
    )
