"""Many tests at once: p corrected so that few of a family's discoveries are false."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests


def adjust_p(table: pd.DataFrame, p: str, family: Sequence[str]) -> pd.Series:
    """q of each row: its p corrected within its family, the rows that agree in these columns; NaN where p is.

    Benjamini & Hochberg 1995, JRSS B 57, 289-300: among the rows with q below 0.05, about 5 % are chance.
    """
    found = pd.Series(np.nan, index=table.index, dtype="float64")
    known = table[table[p].notna()]
    for _, part in known.groupby(list(family), sort=False):
        found[part.index] = multipletests(part[p].to_numpy(dtype=np.float64), method="fdr_bh")[1]
    return found
