"""The comparison of two runs: do they agree on every image, and if not, what was different."""
