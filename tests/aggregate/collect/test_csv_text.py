"""Text of a CSV file that a spreadsheet would run as a formula."""

import csv
import io

import pandas as pd
import pytest

from aggregate.collect.table import to_csv
from alignsec.spreadsheet import unguard_text


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2", "@sum", "'=x", "\t=1", "plain", "it's", ""])
def test_text_is_no_formula_and_comes_back_as_it_was(name: str):
    data = to_csv(pd.DataFrame({"model": [name, "other"], "value": [-0.5, 1.0]}))
    rows = list(csv.reader(io.StringIO(data.decode())))
    assert not rows[1][0].startswith(("=", "+", "-", "@", "\t"))
    assert unguard_text(rows[1][0]) == name
    assert rows[1][1] == "-0.5", "numbers are unchanged"


def test_an_empty_table_keeps_its_header():
    assert to_csv(pd.DataFrame({"a": [], "b": []})) == b"a,b\n"
