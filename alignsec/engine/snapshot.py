"""Snapshot: the running searches as bytes. On one kind of device, a resumed engine computes the same bits."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from alignsec.engine.scheduler import Scheduler
from alignsec.engine.search import Search, StageRun
from alignsec.engine.table import Table
from alignsec.images import packing

LAYOUT = 5
"""Version of the layout. A snapshot with another version cannot be resumed."""
_ZLIB_LEVEL = 1


class SnapshotError(ValueError):
    """The bytes are not a snapshot that this engine can resume from."""


def save_snapshot(
    scheduler: Scheduler, tables: Sequence[Table[Any]], ranking: Tensor, counters: Counter[str]
) -> bytes:
    """Return everything that is neither in the evaluation nor in the images.

    Args:
        scheduler: The scheduler.
        tables: One table per stage.
        ranking: Class ranking of the problem.
        counters: Events counted so far.
    """
    runs = list(dict.fromkeys(scheduler.runs.values()))
    number = {id(run): index for index, run in enumerate(runs)}

    def encode(searches: list[Search]) -> list[list[int]]:
        open_ones = (search for search in searches if search.stage_run.is_open)
        return [[number[id(search.stage_run)], search.number, search.charged_budget] for search in open_ones]

    content = {
        "layout": LAYOUT,
        "round": scheduler.round,
        "counters": counters,
        "runs": [
            [run.image, run.place, run.budgets, run.queued, run.active, run.first_round, run.has_rejected_claim]
            for run in runs
        ],
        "cells": [[budget, image, number[id(run)]] for (budget, image), run in scheduler.runs.items()],
        "waiting": [[image, budgets] for image, budgets in scheduler.waiting.items() if budgets],
        "gradient_queue": [encode(block) for block in scheduler.gradient_queue],
        "forward_queue": [encode(block) for block in scheduler.forward_queue],
        "tables": {table.stage.key: [encode(table.searches), table.steps] for table in tables},
    }
    text = torch.frombuffer(bytearray(json.dumps(content).encode()), dtype=torch.uint8)
    tensors = {"content": text, "ranking": ranking.contiguous()}
    for table in tables:
        if table.searches:
            name = table.stage.key
            tensors |= {f"{name}/{part}": value for part, value in _pack_rows(table).items()}
    return save(tensors)


def _pack_rows(table: Table[Any]) -> dict[str, Tensor]:
    """Return a table's rows without clean images. Images are packed, and equal ones only once."""
    rows = {name: value.cpu().contiguous() for name, value in table.save_rows().items()}
    clean = table.rows.clean.cpu()
    eps = rows.get("eps", torch.zeros(len(clean)))
    images = {name: rows.pop(name) for name in sorted(rows) if _is_image(rows[name], clean)}
    packed = {name: value.clone() for name, value in rows.items()}
    for at, (name, value) in enumerate(images.items()):
        # For each row, the first field with the same image: the last point is often the best one too.
        same = torch.full((len(clean),), at)
        for earlier, other in reversed(list(enumerate(list(images.values())[:at]))):
            same[(value.view(torch.int32) == other.view(torch.int32)).flatten(1).all(1)] = earlier
        own = (same == at).nonzero().squeeze(1)
        packed[f"{name}/same"] = same
        found = packing.pack(value[own].numpy(), clean[own].numpy(), eps[own].numpy(), _ZLIB_LEVEL)
        packed[f"{name}/kinds"], packed[f"{name}/others"] = map(_to_tensor, (found.kinds, found.others))
    return packed


def _to_tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _is_image(value: Tensor, clean: Tensor) -> bool:
    return value.shape == clean.shape and value.dtype == torch.float32


def _unpack_rows(tensors: dict[str, Tensor], clean: Tensor) -> dict[str, Tensor]:
    """Return the rows that `_pack_rows` packed, given their clean images on the CPU."""
    rows = {name: value for name, value in tensors.items() if "/" not in name}
    eps = rows.get("eps", torch.zeros(len(clean)))
    images: list[Tensor] = []
    for name in sorted(key.removesuffix("/same") for key in tensors if key.endswith("/same")):
        same, value = tensors[f"{name}/same"], torch.empty_like(clean)
        own = same == len(images)
        found = packing.PackedImages(
            *(tensors[f"{name}/{part}"].numpy().tobytes() for part in ("kinds", "others"))
        )
        value[own] = torch.from_numpy(packing.unpack(found, clean[own].numpy(), eps[own].numpy()))
        for at, earlier in enumerate(images):
            value[same == at] = earlier[same == at]
        images.append(value)
        rows[name] = value
    return rows


class Snapshot:
    """A snapshot that was read.

    Raises:
        SnapshotError: If the bytes cannot be read or have another layout.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._tensors = load(data)
            self._content = json.loads(bytes(self._tensors["content"].numpy()))
        except (ValueError, KeyError, SafetensorError) as error:
            raise SnapshotError(f"the engine's snapshot cannot be read ({error}); start without it") from error
        if (layout := self._content["layout"]) != LAYOUT:
            raise SnapshotError(f"the engine's snapshot has layout {layout}, expected {LAYOUT}; start without it")

    @property
    def ranking(self) -> Tensor:
        """Class ranking of the problem."""
        return self._tensors["ranking"]

    @property
    def counters(self) -> Counter[str]:
        """Events counted so far."""
        return Counter(self._content["counters"])

    def restore(self, scheduler: Scheduler, tables: Sequence[Table[Any]]) -> None:
        """Fill a new scheduler and empty tables with the saved state."""
        content, stages = self._content, scheduler.stages
        runs = [StageRun(image, place, stages[place], *rest) for image, place, *rest in content["runs"]]

        def decode(searches: list[list[int]]) -> list[Search]:
            return [Search(runs[run], number, budget) for run, number, budget in searches]

        scheduler.round = content["round"]
        scheduler.runs.update({(budget, image): runs[run] for budget, image, run in content["cells"]})
        scheduler.waiting.update(dict(content["waiting"]))
        scheduler.gradient_queue.extend(map(decode, content["gradient_queue"]))
        scheduler.forward_queue.extend(map(decode, content["forward_queue"]))
        for table in tables:
            searches, steps = content["tables"][table.stage.key]
            if searches:
                self._restore_table(table, decode(searches), steps)

    def _restore_table(self, table: Table[Any], searches: list[Search], steps: list[int]) -> None:
        prefix = f"{table.stage.key}/"
        packed = {
            key.removeprefix(prefix): value for key, value in self._tensors.items() if key.startswith(prefix)
        }
        clean = table.problem.pixels[table.problem.image_indices(searches)]
        rows = {name: value.to(clean.device) for name, value in _unpack_rows(packed, clean.cpu()).items()}
        table.load_rows(searches, steps, {"clean": clean, **rows})
