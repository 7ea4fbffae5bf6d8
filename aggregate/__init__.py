"""The analysis of a run: outcome files in; tables, figures and a report out. The FINAL node runs it."""
