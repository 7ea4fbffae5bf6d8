"""The figures of an analysis: each a function of (table, axes), in one style, laid out in inches of a page."""
