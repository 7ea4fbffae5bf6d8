"""The comparison of two runs, image by image, with the differences in settings that may explain changed
verdicts."""
