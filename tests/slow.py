"""The slow tests, which have the marker `slow` and which `make quick` leaves out."""

FIXTURES = {"browser", "inductor_folder", "make_pool", "paper_inputs", "pool"}
"""Fixtures of slow tests: they start a pool or a browser, compile a model, or make a run of full size."""

PATHS = (
    "tests/aggregate/collect/test_corruptions.py",
    "tests/aggregate/collect/test_tally.py",
    "tests/aggregate/figures/test_figures.py",
    "tests/aggregate/report/test_latex.py",
    "tests/aggregate/report/test_report.py",
    "tests/aggregate/scores/test_bad_scores.py",
    "tests/aggregate/scores/test_labels.py",
    "tests/aggregate/test_aggregate_command.py",
    "tests/aggregate/test_analysis.py",
    "tests/aggregate/test_analysis_failures.py",
    "tests/alignsec/engine/test_audit.py",
    "tests/alignsec/engine/test_audit_extension.py",
    "tests/alignsec/engine/test_compiled_search.py",
    "tests/alignsec/engine/test_invariance.py",
    "tests/alignsec/engine/test_parity.py",
    "tests/alignsec/engine/test_strength.py",
    "tests/alignsec/evaluation/passes/test_memory.py",
    "tests/alignsec/evaluation/passes/test_precision.py",
    "tests/alignsec/evaluation/test_evaluator.py",
    "tests/alignsec/test_archives.py",
    "tests/benchmarks/test_audit_replay.py",
    "tests/benchmarks/test_fuzz.py",
    "tests/benchmarks/test_scale.py",
    "tests/brainscore",
    "tests/jobs/test_verify.py",
    "tests/pool",
    "tests/studies/test_preparation.py",
    "tests/submit/requests/test_reality.py",
)
"""Folders and files of slow tests: parity with pyautoattack, whole analyses, other processes."""
