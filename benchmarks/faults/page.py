"""docs/faults.md: what the fault campaign did and found, from benchmarks/results/faults.json.

python -m benchmarks.faults.page
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.faults.result import BAD
from tests.paths import CHECKOUT

RESULTS = CHECKOUT / "benchmarks/results/faults.json"
PAGE = CHECKOUT / "docs/faults.md"
INTRODUCTION = """\
# Faults: what a disturbed run ends with

`make faults` disturbs real runs on a private HTCondor pool. Each seed is one schedule: one or two faults, their
victims and their moments. The same seed always gives the same schedule; `python -m benchmarks.faults --only SEED`
repeats it. A run has a few tiny pairs, whose job is the real one. It is submitted again, with the same command,
until all pairs are ok. Its verdicts are then compared with those of an undisturbed run. This page is generated
from `benchmarks/results/faults.json`.

| count | meaning |
| --- | --- |
| lost | a pair has no verdict at the end |
| doubled | a pair ran again although its verdict was complete, or the analysis counts it twice |
| wrong | a verdict differs from the undisturbed run, a command printed a traceback, or the table misses a pair |
| hung | nothing happened for five minutes, or six submissions were not enough |

A fault counts only if it happened: a signal found its process, or the event log shows the hold, the removal or
the eviction.
"""
FINDINGS = """\
Findings:

- Seeds 36 and 95: the status said that the DAG had ended and that FINAL was running. Both had ended while the
  status was read, which takes a second for a damaged log. It now reads DAGMan's end first.
- Seeds 11, 34 and 77 first counted as hung, lost and doubled. This was an error of the campaign. It damaged every
  checkpoint of a job that wrote one each second, and it took a job without events for a job without progress. It
  also counted the jobs of the log twice when a submission was refused. After the correction it ran these seeds
  again.
- Seed 20 first counted as doubled. HTCondor had logged the end of one execution twice, because the schedd was
  killed. A job now counts as ended once, here and in `make status`. The campaign ran the seed again.
- Seed 207 first counted as lost and hung. Other seeds had killed the schedd so often that HTCondor restarted it
  minutes later, and six submissions in a row were refused with the reason. The campaign now waits after a refused
  submission, and its pool restarts daemons at once. It ran the seed again.
- Seeds 164 and 187 hung. After a cut event (187) or a block of NUL bytes (164), as a full disk leaves them, DAGMan
  skipped the end of a job and waited without end (HTCondor 23.9.6). `make status` now says so and what to type,
  and waiting ends. The event reader itself missed an event behind a cut in the middle of a number. The counts are
  those before the correction; afterwards both seeds ended with the same verdicts.
- Seed 171 first counted as wrong: the short analysis of the campaign, not of a run, printed a traceback on the
  full disk. The count is that before the correction; afterwards the seed ended with the same verdicts.
"""


def write(results: Path = RESULTS, page: Path = PAGE) -> None:
    """Write the page from a summary of `summary.write`."""
    page.write_text(render(json.loads(results.read_text(encoding="utf-8"))), encoding="utf-8")


def render(content: dict[str, Any]) -> str:
    """Return the page's text."""
    return "\n".join([INTRODUCTION, *_lines(content)]) + "\n"


def _lines(content: dict[str, Any]) -> Iterator[str]:
    counts = ", ".join(f"{content[name]} {name}" for name in BAD)
    seeds, faults, hours = content["seeds"], content["faults"], content["hours"]
    yield f"**{seeds} seeds, {faults} faults: {counts}.** It took {hours:g} hours."
    yield ""
    yield FINDINGS
    yield "The last column has the number of seeds for each number of submissions: `4 x 1` are four seeds that"
    yield "ended with the undisturbed run's verdicts after one submission."
    yield ""
    yield "| fault | seeds | happened | detected as | bad | submissions |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in content["rows"]:
        detected = "; ".join(_escape(text) for text in row["detected_as"])
        bad = ", ".join(f"{row[name]} {name}" for name in BAD if row[name]) or "0"
        outcome = ", ".join(_shorten(text, count) for text, count in row["outcome"].items())
        yield f"| {row['fault']} | {row['seeds']} | {row['faults']} | {detected} | {bad} | {outcome} |"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _shorten(outcome: str, count: int) -> str:
    words = outcome.split()
    same = outcome.startswith("same verdicts after")
    return f"{count} x {words[3]}" if same else f"{count} x {outcome}"


if __name__ == "__main__":
    write()
    sys.stdout.write(f"{PAGE}\n")
