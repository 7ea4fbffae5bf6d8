"""docs/limits.md lists every limit with its value."""

import re
import tracemalloc
from pathlib import Path

from alignsec import bounded, limits
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


def test_a_limit_is_not_allocated(tmp_path: Path):
    """A limit of 1 GiB once took 1 GiB of address space for a file of three bytes, which `ulimit -v` refuses."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"abc")
    tracemalloc.start()
    assert bounded.read_bytes(path, limits.GIB) == b"abc"
    assert tracemalloc.get_traced_memory()[1] < 10 * limits.MIB
    tracemalloc.stop()
