"""Audited attacks in the report: the share that was searched in full, and which accuracies are estimates."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from aggregate.formatting import format_count, format_percent, format_quantity


def describe_audit(part: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence on the share of the screen's survivors that was searched in full, if an attack is audited.

    Args:
        part: Rows of table.csv of one attack.
    """
    rows = part[part["near_survivors"].notna()] if "near_survivors" in part else part.iloc[:0]
    survivors, audited, broken = (
        int(rows[f"near_{name}"].sum() + rows[f"far_{name}"].sum()) if len(rows) else 0
        for name in ("survivors", "audited", "broken")
    )
    if survivors:
        yield (
            f"Audited attack: {format_count(audited)} of {format_count(survivors)} images that survived the "
            f"screen ({format_percent(audited / survivors)}), over all models and budgets, were searched in full, "
            f"which broke {format_quantity(broken, 'image')}. Robust accuracies are estimates for the full attack "
            "with exact intervals that include the other images. In comparisons of models, p is an upper bound."
        )


def is_estimated(row: Any) -> bool:  # noqa: ANN401 # rows of itertuples have no type
    """Return whether an audit left out images, so that the robust accuracy of a row is an estimate."""
    if pd.isna(getattr(row, "near_survivors", None)):
        return False
    return bool(row.near_audited + row.far_audited < row.near_survivors + row.far_survivors)
