"""Tests of `python -m aggregate`: exit codes, messages, and running from a run's code.zip."""

import os
import subprocess
import sys
import zipfile

import pytest

from tests.paths import CHECKOUT


def _command(*arguments, path=CHECKOUT, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "aggregate", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(path)},
        cwd=cwd or CHECKOUT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _write_all(run):
    for pair in run.plan:
        run.write_record(pair.model.name, pair.attack.name, *["RRRW"] * len(pair.attack.budgets))


def test_exit_0_if_every_pair_is_ok(make_run):
    run = make_run(images=4)
    _write_all(run)
    done = _command(run.folder.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"The report is at {run.folder.analysis / 'report.html'}"


def test_a_stale_outcome_does_not_change_the_exit_code(make_run):
    run = make_run(images=4)
    _write_all(run)
    run.write_outcome(run.make_record(run.pair_with_other_seed("a", "clean"), "RRRW"))
    assert _command(run.folder.root).returncode == 0


def test_exit_1_after_writing_if_a_pair_is_not_ok(make_run, tmp_path):
    run = make_run(images=4)
    _write_all(run)
    run.write_failure("b", "clean", "no such weights")
    done = _command(run.folder.root, "--out", tmp_path / "out")
    report = tmp_path / "out/report.html"
    assert done.returncode == 1
    assert done.stderr == f"1 of 8 pairs are not ok; {report} lists them\n"
    assert done.stdout.splitlines()[-1] == f"The report is at {report}"
    assert "no such weights" in report.read_text(encoding="utf-8")


def test_exit_1_without_outcomes(make_run):
    run = make_run()
    run.folder.outcomes.rmdir()
    done = _command(run.folder.root)
    assert done.returncode == 1
    assert "8 of 8 pairs are not ok" in done.stderr


@pytest.mark.parametrize("what", ["no run", "no outcomes", "archive"])
def test_exit_2_for_invalid_input(make_run, tmp_path, what):
    run = make_run(scores="Model,V1\na,1\n")
    arguments = [run.folder.root]
    if what == "no run":
        arguments, message = [tmp_path / "nothing"], "is not a run folder"
    elif what == "no outcomes":
        arguments, message = [*arguments, "--outcomes", tmp_path / "nothing"], "not found"
    else:
        (tmp_path / "text.tar").write_text("no archive")
        arguments, message = [*arguments, "--outcomes", tmp_path / "text.tar"], "complete tar archive"
    done = _command(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not run.folder.analysis.exists()


def test_changed_scores_cost_only_the_alignment(make_run):
    run = make_run(scores="Model,V1\na,1\n")
    run.folder.scores.write_text("Model,V1\na,2\n")
    done = _command(run.folder.root)
    assert "was changed after submission" in done.stderr
    assert "was changed after submission" in run.folder.report.read_text(encoding="utf-8")


def test_exit_2_if_the_output_folder_cannot_be_created(make_run, tmp_path):
    run = make_run()
    (tmp_path / "file").write_text("")
    done = _command(run.folder.root, "--out", tmp_path / "file")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_runs_from_the_code_zip_of_a_run(make_run, tmp_path):
    run = make_run(images=4)
    _write_all(run)
    code = tmp_path / "code.zip"
    with zipfile.ZipFile(code, "w") as archive:
        for room in ("alignsec", "aggregate"):
            for path in sorted((CHECKOUT / room).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.write(path, path.relative_to(CHECKOUT))
    done = _command(run.folder.root, path=code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("given", ["0", "-1", "two"])
def test_an_invalid_number_of_processes_is_an_error(make_run, given):
    done = _command(make_run().folder.root, f"--jobs={given}")
    assert done.returncode == 2
    assert f"'{given}' is not a number of processes; expected 1 or more" in done.stderr
