"""The figures of an analysis, drawn with matplotlib in one style and written as PDF, PNG and SVG."""
