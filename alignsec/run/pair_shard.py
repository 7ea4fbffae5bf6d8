"""Shards: files of up to 100 pairs each, the jobs' inputs.

One file per pair would be 100,000 files in one folder, and writing them takes a minute of processor time. A shard
is small enough to be transferred with each of its jobs: 10 to 80 kB. plan.json has the same pairs, so a later
submission can write every shard again.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from alignsec import atomic
from alignsec.run.folder import RunFolder
from alignsec.run.pair_parts import PairParts, PairRow, PartTexts
from alignsec.spec.pair import Pair

PAIRS_PER_SHARD = 100
VERSION = 1


class PairFileError(ValueError):
    """A file of pairs that is not valid, or that does not have the job's pair."""


class PairShard(PairParts):
    """The content of a shard."""

    schema_version: Literal[1]
    pairs: dict[str, PairRow]
    """Rows by the pairs' ids."""


def shard_name(index: int) -> str:
    """Return the name of the shard of a pair, without `.json`.

    Args:
        index: The pair's position in the plan.
    """
    return f"shard-{index // PAIRS_PER_SHARD:05d}"


def write_shards(pairs: Sequence[Pair], folder: RunFolder) -> None:
    """Write the shards of all pairs of a plan.

    They are not forced to disk: after a crash of the machine, submitting again writes them again.

    Raises:
        OSError: If a file cannot be written.
    """
    texts = PartTexts()
    for start in range(0, len(pairs), PAIRS_PER_SHARD):
        data = _dump(pairs[start : start + PAIRS_PER_SHARD], texts)
        atomic.write_atomic(folder.pair_file(shard_name(start)), data, durable=False)


def _dump(pairs: Sequence[Pair], texts: PartTexts) -> bytes:
    """Return the content of a shard."""
    models: dict[str, int] = {}
    attacks: dict[str, int] = {}
    packs: dict[str, int] = {}
    rows = {}
    for pair in pairs:
        row: dict[str, object] = {
            "model": models.setdefault(texts.text(pair.model), len(models)),
            "attack": attacks.setdefault(texts.text(pair.attack), len(attacks)),
            "images": packs.setdefault(texts.text(pair.images), len(packs)),
            "seed": pair.seed,
        }
        if pair.corrupted is not None:
            row["corrupted"] = packs.setdefault(texts.text(pair.corrupted), len(packs))
        if pair.extends is not None:
            row["extends"] = pair.extends.model_dump()
        if pair.attack_code is not None:
            row["attack_code"] = pair.attack_code.model_dump()
        rows[pair.id] = row
    lists = (("models", models), ("attacks", attacks), ("packs", packs))
    separator = ",\n"
    parts = "".join(f'"{name}": [\n{separator.join(distinct)}\n],\n' for name, distinct in lists)
    lines = separator.join(f'"{pair_id}": {json.dumps(row)}' for pair_id, row in rows.items())
    return f'{{"schema_version": {VERSION},\n{parts}"pairs": {{\n{lines}\n}}}}\n'.encode()


def read_pair(path: Path, pair_id: str) -> Pair:
    """Return one pair of a shard.

    Args:
        path: The shard.
        pair_id: The pair's id.

    Raises:
        PairFileError: The file is no shard, or does not have the pair.
        OSError: The file cannot be read.
    """
    try:
        shard = PairShard.model_validate_json(path.read_bytes())
        pair = shard.pair(shard.pairs[pair_id])
    except ValidationError as error:
        raise PairFileError(f"{path.name}: invalid file of pairs: {error.errors()[0]['msg']}") from error
    except KeyError:
        raise PairFileError(f"{path.name}: does not have the pair {pair_id}") from None
    except (IndexError, ValueError) as error:
        raise PairFileError(f"{path.name}: {pair_id}: invalid pair: {error}") from None
    if pair.id != pair_id:
        raise PairFileError(f"{path.name}: {pair_id} has the content of another pair, {pair.id}")
    return pair
