"""Names: joins the models of a published table to the rows of a scores file that spell them otherwise.

A names file is a CSV with the columns `model` and `score_name`. Where names do not match, `propose_names` makes
one with the most similar score names, for a person to complete: a similar name can be another network.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from aggregate.scores.scores import Scores
from alignsec.errors import ConfigError, ConfigErrors, nearest
from alignsec.spreadsheet import guard_text, unguard_text

COLUMNS = ("model", "score_name")
NEAR_COLUMNS = ("near_1", "near_2", "near_3")
"""Columns of a proposal that a names file may keep; they are not read."""
_CUTOFF = 0.5
"""Lowest similarity of a proposed name, from 0 to 1, as difflib computes it."""


def read_names(path: Path, models: Iterable[str], scores: Scores) -> dict[str, str]:
    """Read a names file.

    Args:
        path: The CSV file.
        models: Models of the published table.
        scores: The scores whose rows the file names.

    Returns:
        Score name by model, without the lines whose score name is empty.

    Raises:
        ConfigErrors: All errors of the file: other columns, unknown models and score names, and repeated names.
        OSError: If the file cannot be read.
    """
    try:
        lines = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigErrors.about(path, f"is not a CSV file in UTF-8: {error}") from None
    if not lines or not set(COLUMNS) <= lines[0].keys():
        raise ConfigErrors.about(path, f"has no lines with the columns {', '.join(COLUMNS)}; add them")
    known = list(dict.fromkeys(models))
    errors, names = [], {}
    for number, line in enumerate(lines, 2):
        model, score_name = (unguard_text((line[column] or "").strip()) for column in COLUMNS)
        if not score_name:
            continue
        for name, valid, what in ((model, known, "a model of the table"), (score_name, [*scores.rows], "a score")):
            if name not in valid:
                remedy = f"is not the name of {what}; {nearest(name, valid)}"
                errors.append(ConfigError(path=path, field=f"line {number}", given=f'"{name}"', remedy=remedy))
        if model in names:
            remedy = "has more than one line; keep one"
            errors.append(ConfigError(path=path, field=f"line {number}", given=f'"{model}"', remedy=remedy))
        names[model] = score_name
    for score_name, times in Counter(names.values()).items():
        if times > 1:
            remedy = (
                f"is the score name of {times} models; scores of one network would count {times} times; keep one"
            )
            errors.append(ConfigError(path=path, field="score_name", given=f'"{score_name}"', remedy=remedy))
    if errors:
        raise ConfigErrors(errors)
    return names


def join_names(path: Path | None, models: Iterable[str], scores: Scores) -> Scores:
    """Return the scores with the names of a names file; the scores themselves without one.

    Raises:
        ConfigErrors: All errors of the file.
        OSError: If the file cannot be read.
    """
    return scores if path is None else rename_scores(scores, read_names(path, models, scores))


def rename_scores(scores: Scores, names: Mapping[str, str]) -> Scores:
    """Return the scores with the rows of the named models under the models' own names."""
    renamed = {name: model for model, name in names.items()}
    rows = {name: row for name, row in scores.rows.items() if name not in renamed and name not in names}
    return replace(scores, rows={**rows, **{model: scores.rows[name] for name, model in renamed.items()}})


def propose_names(
    models: Iterable[str], architectures: Mapping[str, str], scores: Scores
) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return each model without a score, a score name that differs only in punctuation, and similar score names.

    Args:
        models: Models of the published table.
        architectures: Name of the architecture by model; it is compared as well.
        scores: The scores.
    """
    by_letters: dict[str, str] = {}
    for name in scores.rows:
        by_letters.setdefault(_reduce(name), name)
    proposals = []
    for model in dict.fromkeys(models):
        if model in scores.rows:
            continue
        similar = [
            by_letters[letters]
            for text in (model, architectures.get(model, ""))
            for letters in get_close_matches(_reduce(text), by_letters, n=len(NEAR_COLUMNS), cutoff=_CUTOFF)
        ]
        near = tuple(dict.fromkeys(similar))[: len(NEAR_COLUMNS)]
        proposals.append((model, by_letters.get(_reduce(model), ""), near))
    return proposals


def format_proposal(proposals: Iterable[tuple[str, str, tuple[str, ...]]]) -> bytes:
    """Return a names file whose empty score names a person fills in."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*COLUMNS, *NEAR_COLUMNS])
    for model, same, near in proposals:
        filled = [*near, *[""] * (len(NEAR_COLUMNS) - len(near))]
        writer.writerow([guard_text(text) for text in (model, same, *filled)])
    return buffer.getvalue().encode()


def _reduce(name: str) -> str:
    """Return a name's letters and digits in lower case: "ResNet-50" and "resnet_50" are equal."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())
