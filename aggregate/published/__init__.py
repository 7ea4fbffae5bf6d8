"""The same analysis on other people's numbers: published robust accuracies instead of a run's outcomes."""
