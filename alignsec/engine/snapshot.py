"""State: the searches under way as bytes, from which the engine goes on bit for bit on one kind of device."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from alignsec.engine import packing
from alignsec.engine.scheduler import Scheduler
from alignsec.engine.search import Course, Search
from alignsec.engine.table import Table

_LAYOUT = 4


class BadState(ValueError):
    """The bytes are not a state that this engine can go on from."""


def freeze(agenda: Scheduler, tables: Sequence[Table[Any]], ranking: Tensor, facts: Counter[str]) -> bytes:
    """Everything that is neither in the verdicts nor in the images."""
    courses = list(dict.fromkeys(agenda.courses.values()))
    number = {id(course): index for index, course in enumerate(courses)}

    def written(searches: list[Search]) -> list[list[int]]:
        return [[number[id(s.course)], s.number, s.payer] for s in searches if s.course.open]

    content = {
        "layout": _LAYOUT,
        "round": agenda.round,
        "facts": facts,
        "courses": [[c.image, c.place, c.budgets, c.begun, c.flying, c.since, c.doubted] for c in courses],
        "lanes": [[budget, image, number[id(course)]] for (budget, image), course in agenda.courses.items()],
        "waiting": [[image, budgets] for image, budgets in agenda.waiting.items() if budgets],
        "gradient": [written(block) for block in agenda.gradient],
        "forward": [written(block) for block in agenda.forward],
        "tables": {table.stage.component.name: [written(table.searches), table.steps] for table in tables},
    }
    text = torch.frombuffer(bytearray(json.dumps(content).encode()), dtype=torch.uint8)
    tensors = {"content": text, "ranking": ranking.contiguous()}
    for table in tables:
        if table.searches:
            tensors |= {f"{table.stage.component.name}/{name}": value for name, value in _written(table).items()}
    return save(tensors)


def _written(table: Table[Any]) -> dict[str, Tensor]:
    """A table's rows, less its clean images: small tensors as they are, images packed and each only once."""
    rows = {name: value.cpu().contiguous() for name, value in table.stored().items()}
    clean = table.rows.clean.cpu()
    eps = rows.get("eps", torch.zeros(len(clean)))
    images = {name: rows.pop(name) for name in sorted(rows) if _is_image(rows[name], clean)}
    written = {name: value.clone() for name, value in rows.items()}
    for at, (name, value) in enumerate(images.items()):
        # Where a row is an earlier image's, its number; most often the last point was also the best.
        same = torch.full((len(clean),), at)
        for earlier, other in reversed(list(enumerate(list(images.values())[:at]))):
            same[(value.view(torch.int32) == other.view(torch.int32)).flatten(1).all(1)] = earlier
        own = (same == at).nonzero().squeeze(1)
        written[f"{name}/same"] = same
        for part, data in packing.packed(value[own], clean[own], eps[own]).items():
            written[f"{name}/{part}"] = data
    return written


def _is_image(value: Tensor, clean: Tensor) -> bool:
    return value.shape == clean.shape and value.dtype == torch.float32


def _read(tensors: dict[str, Tensor], clean: Tensor) -> dict[str, Tensor]:
    """What was written of a table's rows; clean: its images, on the CPU."""
    rows = {name: value for name, value in tensors.items() if "/" not in name}
    eps = rows.get("eps", torch.zeros(len(clean)))
    images: list[Tensor] = []
    for name in sorted(key.removesuffix("/same") for key in tensors if key.endswith("/same")):
        same, value = tensors[f"{name}/same"], torch.empty_like(clean)
        own = same == len(images)
        parts = {part: tensors[f"{name}/{part}"] for part in ("kinds", "others")}
        value[own] = packing.unpacked(parts, clean[own], eps[own])
        for at, earlier in enumerate(images):
            value[same == at] = earlier[same == at]
        images.append(value)
        rows[name] = value
    return rows


class Frozen:
    """A state that was read. Raises BadState if the bytes are none."""

    def __init__(self, data: bytes) -> None:
        try:
            self._tensors = load(data)
            self._content = json.loads(bytes(self._tensors["content"].numpy()))
        except (ValueError, KeyError, SafetensorError) as error:
            raise BadState(f"the engine's state cannot be read ({error}); begin anew without it") from error
        if self._content["layout"] != _LAYOUT:
            raise BadState(f"the engine's state has layout {self._content['layout']}, not {_LAYOUT}; begin anew")

    @property
    def ranking(self) -> Tensor:
        """See Ground."""
        return self._tensors["ranking"]

    @property
    def facts(self) -> Counter[str]:
        """What was noticed so far."""
        return Counter(self._content["facts"])

    def thaw(self, agenda: Scheduler, tables: Sequence[Table[Any]]) -> None:
        """Put a fresh agenda and empty tables where the frozen ones stood."""
        content, stages = self._content, agenda.stages
        courses = [Course(image, place, stages[place], *rest) for image, place, *rest in content["courses"]]

        def read(searches: list[list[int]]) -> list[Search]:
            return [Search(courses[course], number, payer) for course, number, payer in searches]

        agenda.round = content["round"]
        agenda.courses.update({(budget, image): courses[course] for budget, image, course in content["lanes"]})
        agenda.waiting.update(dict(content["waiting"]))
        agenda.gradient.extend(map(read, content["gradient"]))
        agenda.forward.extend(map(read, content["forward"]))
        for table in tables:
            name = table.stage.component.name
            written, steps = content["tables"][name]
            if searches := read(written):
                prefix = f"{name}/"
                own = {
                    key.removeprefix(prefix): tensor
                    for key, tensor in self._tensors.items()
                    if key.startswith(prefix)
                }
                clean = table.ground.pixels[table.ground.images_of(searches)]
                device = clean.device
                rows = {key: value.to(device) for key, value in _read(own, clean.cpu()).items()}
                table.revive(searches, steps, {"clean": clean, **rows})
