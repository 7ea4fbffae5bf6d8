"""The attack components, one file per attack: the algorithm and the table that runs it."""
