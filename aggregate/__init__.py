"""The room that runs in the FINAL node, or later by hand: outcomes in, tables, figures and a report out."""
