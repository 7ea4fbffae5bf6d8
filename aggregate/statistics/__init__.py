"""Statistics over the models of a study: correlations, regressions, predictions and their uncertainty."""
