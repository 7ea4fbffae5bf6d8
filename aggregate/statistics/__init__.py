"""Statistics over models: what robust accuracy goes with, how surely, and what else would explain it."""
