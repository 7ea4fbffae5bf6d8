"""The sheet: a comparison as one HTML file that needs no network and runs nothing."""

from markupsafe import Markup

from aggregate.comparison import account
from aggregate.comparison.agreement import Comparison
from aggregate.report import environment, template

ROWS, ALONE, LISTS, NAMES = 300, 200, 50, 100
"""The most that the page shows: rows of the table, answers of one run, lists of images, images in a list."""


def html(found: Comparison) -> bytes:
    """The page. Names are escaped wherever they stand."""
    rows = sorted(found.rows, key=lambda row: -len(row.changes))
    changed = [row for row in rows if row.changes]
    text = environment().get_template("compare.html").render(
        found=found,
        verdict=account.verdict(found),
        findings=list(account.findings(found)),
        differences=account.differences(found),
        rows=[(row, account.moved(row)) for row in rows[:ROWS]],
        changed=changed,
        lists=changed[:LISTS],
        most={"rows": ROWS, "alone": ALONE, "names": NAMES},
        script_digests=[],
        style=Markup(template("report.css")),  # noqa: S704 # our own file
    )  # fmt: skip
    return text.encode()
