"""docs/limits.md lists every limit with its value."""

import re

from alignsec import limits
from tests.paths import CHECKOUT

UNITS = {"KiB": limits.KIB, "MiB": limits.MIB, "GiB": limits.GIB}


def read_value(text: str) -> int:
    number, _, unit = text.partition(" ")
    return int(number.replace(",", "")) * UNITS.get(unit, 1)


def test_every_limit_is_documented_with_its_value():
    text = (CHECKOUT / "docs" / "limits.md").read_text(encoding="utf-8")
    documented = {
        name: read_value(value) for name, value in re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", text, re.M)
    }
    constants = {
        name: value for name, value in vars(limits).items() if name.isupper() and name not in {"KIB", "MIB", "GIB"}
    }
    assert documented == constants
