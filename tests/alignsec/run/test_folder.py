"""The paths of a run folder."""

from pathlib import Path

from alignsec.run.folder import RunFolder


def test_every_path_is_different_and_below_the_root(tmp_path: Path):
    folder = RunFolder(tmp_path)
    names = [name for name, value in vars(RunFolder).items() if isinstance(value, property)]
    methods = (
        folder.pair_file,
        folder.outcome,
        folder.log,
        folder.output,
        folder.error_output,
        folder.job_scratch,
    )
    paths = [getattr(folder, name) for name in names] + [method("x") for method in methods]
    assert len(set(paths)) == len(paths) > 25
    assert all(path.is_relative_to(tmp_path) for path in paths)


def test_paths_relative_to_the_run_folder():
    """Submit descriptions and DAG files name them like this."""
    relative = RunFolder(Path())
    assert str(relative.plan) == "plan.json"
    assert str(relative.outcome("$(JOB)")) == "outcomes/$(JOB).json"
    assert str(relative.error_output("final")) == "logs/final.err"


def test_a_comparison_is_named_after_the_other_run(tmp_path: Path):
    assert RunFolder(tmp_path / "b").comparison(tmp_path / "a") == tmp_path / "b" / "compare" / "a"
