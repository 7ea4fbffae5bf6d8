"""Tests of the comparison of two runs."""

import csv
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from aggregate import compare
from aggregate.comparison import agreement, report, runs
from aggregate.statistics import mcnemar
from alignsec.run.plan import PlannedPair
from alignsec.spec.attack import Attack
from alignsec.spec.pair import Pair
from tests.aggregate.synthetic_run import CLEAN, STANDARD, write_run
from tests.paths import CHECKOUT

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def two(tmp_path):
    """Two runs of the same plan, without outcomes."""
    return [write_run(tmp_path / name, models=["a", "b"]) for name in ("x", "y")]


def _write_outcomes(run, linf=("RRRRRctfsW", "RRccctfscW"), **more):
    for model in ("a", "b"):
        run.write_record(model, "clean", "R" * 9 + "W")
        run.write_record(model, "autoattack-Linf", *linf, **more)


def _main(one, other, capsys, *more):
    code = compare.main([str(one.folder.root), str(other.folder.root), *map(str, more)])
    output = capsys.readouterr()
    return code, output.out, output.err


def _rows(run, name="compare.csv", other="x"):
    with (run.folder.root / "compare" / other / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_agrees_with_itself(two, capsys):
    _write_outcomes(two[0])
    code, out, err = _main(two[0], two[0], capsys)
    assert (code, err) == (0, "")
    assert "All 60 verdicts agree (4 pairs of a model and an attack, 6 budgets)." in out
    assert "none of the recorded ones" in out
    assert {(row["same"], row["changed"], row["p"]) for row in _rows(two[0])} == {("10", "0", "1.0")}
    assert _rows(two[0], "images.csv") == []


def test_changed_verdicts_are_counted_listed_and_explained(two, capsys):
    """Of ten images, three become broken, one becomes robust, and one is broken by another component."""
    _write_outcomes(two[0], linf=("RRRRRRRRRW", "RRRRRctfsW"))
    two[1].provenance = two[1].provenance.model_copy(
        update={"code": "d" * 64, "versions": {"python": "3.11.9", "torch": "2.14.0"}}
    )
    _write_outcomes(two[1], linf=("RRRRRRRRRW", "RRcccRtcsW"))
    code, out, _ = _main(two[0], two[1], capsys)
    assert code == 1
    assert "8 of 60 verdicts differ (13.3\N{NO-BREAK SPACE}%), at 2 of 6 budgets" in out
    assert "From A to B: 6 robust → broken; 2 broken → robust." in out
    assert "2 more are broken in both, by another component" in out
    assert "version of torch: 2.13.0 in A, 2.14.0 in B (all 4; 8 changed there): other code or kernels" in out
    assert "code: cccccccccccc in A, dddddddddddd in B" in out
    row = next(row for row in _rows(two[1]) if (row["model"], row["eps"]) == ("a", "1/255"))
    assert {name: row[name] for name in ("images", "same", "changed", "robust_to_broken", "broken_to_robust")} == {
        "images": "10", "same": "6", "changed": "4", "robust_to_broken": "3", "broken_to_robust": "1",
    }  # fmt: skip
    assert (row["robust_a"], row["robust_b"], row["other_component"]) == ("5", "3", "1")
    assert float(row["p"]) == pytest.approx(mcnemar.compute_p(3, 1)) == pytest.approx(0.625)
    assert row["differs"] == "code; version of torch"
    changed = [(row["image"], row["verdict_a"], row["verdict_b"]) for row in _rows(two[1], "images.csv")][:4]
    assert changed == [
        ("2.png", "robust", "broken"),
        ("3.png", "robust", "broken"),
        ("4.png", "robust", "broken"),
        ("5.png", "broken", "robust"),
    ]


def _replace_pair(run, name, changes):
    """Replace the clean pair of a model in the plan by one with other fields, and return it."""
    pair = Pair.model_validate({**run.pair(name, "clean").model_dump(), **changes})
    others = tuple(one for one in run.plan.planned if one.pair.id != run.pair(name, "clean").id)
    run.plan = run.plan.model_copy(update={"planned": (PlannedPair(pair=pair, inputs=()), *others)})
    run.plan.write(run.folder)
    return pair


@pytest.mark.parametrize(
    ("changes", "name", "means"),
    [
        ({"seed": 8}, "seed", "other random starts"),
        ({"images": {"name": "images.zip", "sha256": "9" * 64}}, "images", "another pack"),
        ({"weights": {"name": "w", "sha256": "9" * 64}}, "weights", "another network"),
        ({"crop_pct": 1.0}, "preprocessing: crop_pct", "receives other pixels"),
    ],
)
def test_differing_settings_are_listed(two, changes, name, means):
    two[0].write_record("a", "clean", "RRW")
    model = two[1].pair("a", "clean").model.model_dump()
    if "weights" in changes:
        changes = {"model": {**model, **changes}}
    if "crop_pct" in changes:
        changes = {"model": {**model, "preprocessing": {**model["preprocessing"], **changes}}}
    two[1].write_outcome(two[1].make_record(_replace_pair(two[1], "a", changes), "RRW"))
    found = _compare(*two)
    (difference,) = report.list_differences(found)
    assert difference.name == name
    assert means in difference.means


def _compare(one, other):
    return agreement.compare_runs(runs.read_run(one.folder.root), runs.read_run(other.folder.root))


def test_differing_parameters_of_an_attack_are_listed(tmp_path):
    short = Attack.model_validate({**STANDARD.model_dump(), "steps": 10, "search": "bf16"})
    one, other = (write_run(tmp_path / n, ["a"], [attack]) for n, attack in (("x", STANDARD), ("y", short)))
    for run in (one, other):
        run.write_record("a", "autoattack-Linf", "RRW", "RcW")
    assert {(d.name, d.b) for d in report.list_differences(_compare(one, other))} == {
        ("attack: steps", "10"),
        ("attack: search", "bf16"),
    }


def test_budgets_match_by_exact_eps(tmp_path):
    """2/510 equals 1/255; a budget of only one run is unmatched."""
    two_runs = []
    for name, eps in (("x", ["0.5/255", "1/255"]), ("y", ["2/510", "4/255"])):
        attack = Attack.model_validate({**STANDARD.model_dump(), "eps": eps})
        two_runs.append(write_run(tmp_path / name, ["a"], [attack]))
        two_runs[-1].write_record("a", "autoattack-Linf", "RRW", "RcW")
    found = _compare(*two_runs)
    assert [(row.eps, [change.image for change in row.changes]) for row in found.rows] == [("1/255", ["1.png"])]
    assert [(run, why) for _, run, why in found.unmatched] == [
        ("A", "has no budget 0.5/255, or none of its images"),
        ("B", "has no budget 4/255, or none of its images"),
    ]


def test_images_match_by_name_in_any_order(two, capsys):
    two[0].write_record("a", "clean", "RWRRW")
    record = two[1].make_record(two[1].pair("a", "clean"), "WRRR")
    two[1].write_outcome(
        record.model_copy(update={"images": ["4.png", "9.png", "1.png", "0.png"], "labels": [0, 0, 0, 5]})
    )
    code, out, _ = _main(*two, capsys)
    assert code == 1
    assert "1 of 3 verdicts differ" in out
    assert "up to 2 that only A has and 1 that only B has are left out" in out
    assert "Another label in B: 1 image" in out
    assert "labels: – in A, another for 1 of them in B (all 1; 1 changed there)" in out
    assert [row["image"] for row in _rows(two[1], "images.csv")] == ["1.png"]
    (row,) = _rows(two[1])
    assert row["differs"] == "labels"


def test_changes_without_a_differing_setting_are_reported(two):
    two[0].write_record("a", "clean", "RRW")
    two[1].write_record("a", "clean", "RWW")
    found = _compare(*two)
    assert any(
        sentence.startswith("Verdicts differ although no recorded setting differs")
        for sentence in report.describe_findings(found)
    )


def test_pairs_with_an_outcome_in_one_run_only(two, capsys):
    """They are listed with the other run's reason and do not change the exit code; stale outcomes are left out."""
    _write_outcomes(two[0])
    _write_outcomes(two[1])
    two[1].write_failure("b", "clean", "no such weights")
    two[1].folder.outcome(two[1].pair("b", "autoattack-Linf").id).unlink()
    two[1].write_outcome(two[1].make_record(two[1].pair_with_other_seed("a", "clean"), "RRW"))
    code, out, _ = _main(*two, capsys)
    assert code == 0
    assert "b × clean: only in A; the other run: no such weights" in out
    assert "b × autoattack-Linf: only in A; the other run: no outcome file" in out
    assert "B has 1 outcome that its plan does not contain" in out


def test_all_invalid_inputs_are_reported_together(tmp_path, capsys):
    """Both folders that are not runs are reported, and nothing is written."""
    code = compare.main([str(tmp_path / "none"), str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])
    message = capsys.readouterr().err
    assert code == 2
    assert "none: is not a run folder" in message
    assert "nowhere: is not a run folder" in message
    assert not (tmp_path / "out").exists()


def test_a_damaged_outcome_is_left_out_and_named(two, capsys):
    """The other pairs are compared. Terminal and page name the damaged outcome and its reason."""
    for run in two:
        _write_outcomes(run)
    path = two[1].write_record("a", "clean", "R" * 9 + "W")
    path.write_bytes(path.read_bytes().replace(b"RRW", b"RRR"))
    code, out, _ = _main(*two, capsys)
    assert code == 0
    assert "All 50 verdicts agree (3 pairs" in out
    assert "B has 1 damaged outcome file, left out: a × clean: the outcome file was changed" in out
    assert "a × clean: only in A; the other run: the outcome file was changed" in out
    page = (two[1].folder.root / "compare" / "x" / "compare.html").read_text()
    assert "B has 1 damaged outcome file" in page


def test_many_damaged_files_are_counted(tmp_path):
    """No more than a few are named."""
    both = [write_run(tmp_path / name, models=[f"m{at}" for at in range(12)], attacks=[CLEAN]) for name in "xy"]
    for pair in both[0].plan:
        both[0].write_record(pair.model.name, "clean", "RRW")
        both[1].write_record(pair.model.name, "clean", "RRW")
    for pair in list(both[1].plan)[1:]:
        both[1].folder.outcome(pair.id).write_bytes(b"{")
    comparison = agreement.compare_runs(*(runs.read_run(run.folder.root) for run in both))
    assert comparison.pairs == 1
    (finding,) = [text for text in report.describe_findings(comparison) if "damaged" in text]
    assert "B has 11 damaged outcome files, left out: 11, such as m1 × clean" in finding


def test_runs_without_a_common_pair(two, tmp_path, capsys):
    two[0].write_record("a", "clean", "RRW")
    two[1].write_record("b", "clean", "RRW")
    code, _, err = _main(*two, capsys)
    assert code == 2
    assert "has nothing in common with" in err
    assert "of 1 and 1 pairs that are ok, 0 have the same model and attack names; compare" in err


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)


def test_the_page_escapes_names_and_limits_its_lists(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "MAX_IMAGES", 2)
    monkeypatch.setattr(report, "MAX_ROWS", 1)
    one, other = (write_run(tmp_path / name, models=[HOSTILE, "b"]) for name in ("x", "y"))
    for run, letters in ((one, "RRRRW"), (other, "RcccW")):
        run.write_record(HOSTILE, "autoattack-Linf", "RRRRW", letters)
    text = report.render_comparison(_compare(one, other)).decode()
    tags = _Tags()
    tags.feed(text)
    assert "script" not in tags.seen
    assert "&lt;script&gt;alert(1)" in text
    assert "1 of 2 rows are shown" in text
    assert "<li>1 more in <code>images.csv</code></li>" in text
    assert re.search(r"default-src 'none'; style-src 'unsafe-inline'", text)


def test_two_processes_read_the_same_run(two, monkeypatch):
    _write_outcomes(two[0])
    monkeypatch.setattr(runs, "FEW_PAIRS", 0)
    one, other = (runs.read_run(two[0].folder.root, processes) for processes in (1, 2))
    assert one == other


def test_command_in_a_subprocess(two):
    _write_outcomes(two[0])
    done = subprocess.run(
        [sys.executable, "-m", "aggregate.compare", two[0].folder.root, two[0].folder.root],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "compare.html" in done.stdout
