"""Python API: AutoAttack, the evaluation of a model in memory, and the tables of a run. See docs/api.md."""
