"""Generator of timm.csv: the models of the pinned timm and their properties.

Run `make catalogue` after a change of timm's version. A test compares the file with the installed timm.
"""

import csv
import sys
from collections.abc import Iterator
from typing import TextIO

import timm
from timm.models import get_pretrained_cfg

from alignsec.catalogue.timm import COLUMNS


def rows() -> Iterator[tuple[str, ...]]:
    """Yield one row per architecture, without preprocessing, and one per pretrained tag, sorted by name."""
    for name in sorted({*timm.list_models(), *timm.list_models(pretrained=True)}):
        cfg = get_pretrained_cfg(name) if "." in name else None
        if cfg is None:
            yield (name, *[""] * (len(COLUMNS) - 1))
            continue
        size = "x".join(str(side) for side in cfg.input_size)
        mean, std = (" ".join(repr(float(value)) for value in values) for values in (cfg.mean, cfg.std))
        hub = (cfg.hf_hub_id or "").rstrip("/")
        yield (
            name,
            hub,
            "" if hub else str(cfg.url or ""),
            size,
            mean,
            std,
            cfg.interpolation,
            repr(float(cfg.crop_pct)),
            cfg.crop_mode,
            str(cfg.num_classes),
        )


def write(file: TextIO) -> None:
    """Write the catalogue as CSV."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows())


if __name__ == "__main__":
    write(sys.stdout)
