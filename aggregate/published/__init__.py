"""The analysis of published robust accuracies instead of a run's outcomes."""
