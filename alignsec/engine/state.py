"""State: the searches under way as text, from which the engine goes on bit for bit on one kind of device."""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from alignsec.engine.agenda import Agenda
from alignsec.engine.course import Course, Search
from alignsec.engine.table import Table

_LAYOUT = 2


class BadState(ValueError):
    """The text is not a state that this engine can go on from."""


def freeze(agenda: Agenda, tables: Sequence[Table[Any]], ranking: Tensor, facts: Counter[str]) -> str:
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
        "tables": {table.stage.component: [written(table.searches), table.steps] for table in tables},
    }
    text = torch.frombuffer(bytearray(json.dumps(content).encode()), dtype=torch.uint8)
    tensors = {"content": text, "ranking": ranking.contiguous()}
    for table in tables:
        if table.searches:
            rows = table.rows.tensors()
            del rows["clean"]
            # Rows may share memory, which the file cannot.
            tensors |= {f"{table.stage.component}/{name}": value.clone() for name, value in rows.items()}
    return base64.b64encode(save(tensors)).decode()


class Frozen:
    """A state that was read. Raises BadState if the text is none."""

    def __init__(self, text: str, device: torch.device) -> None:
        try:
            self._tensors = {name: tensor.to(device) for name, tensor in load(base64.b64decode(text)).items()}
            self._content = json.loads(bytes(self._tensors["content"].cpu().numpy()))
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

    def thaw(self, agenda: Agenda, tables: Sequence[Table[Any]]) -> None:
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
            name = table.stage.component
            written, steps = content["tables"][name]
            if searches := read(written):
                prefix = f"{name}/"
                rows = {
                    key.removeprefix(prefix): tensor
                    for key, tensor in self._tensors.items()
                    if key.startswith(prefix)
                }
                clean = table.ground.pixels[table.ground.images_of(searches)]
                table.restore(searches, steps, table.row_type()(clean=clean, **rows))
