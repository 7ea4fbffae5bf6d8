"""Fuzzing of every reader of files, logs and answers: `python -m benchmarks.fuzz`."""
