"""Multiple testing: p values corrected for the number of tests, to control the false discovery rate."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests


def adjust_p(table: pd.DataFrame, p: str, family: Sequence[str]) -> pd.Series:
    """Return the q value of each row: its p corrected by Benjamini and Hochberg's procedure within its family.

    Among the rows of a family with q < 0.05, about 5 % are expected to be false discoveries.

    Args:
        table: Any table.
        p: Column of the p values.
        family: Columns whose values define a family: rows that agree in all of them are corrected together.

    Returns:
        Float64 series with the index of the table; NaN where p is NaN.

    Reference:
        Benjamini & Hochberg 1995, JRSS B 57, 289-300.
    """
    q = pd.Series(np.nan, index=table.index, dtype="float64")
    known = table[table[p].notna()]
    for _, part in known.groupby(list(family), sort=False):
        q[part.index] = multipletests(part[p].to_numpy(dtype=np.float64), method="fdr_bh")[1]
    return q
