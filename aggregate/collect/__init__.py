"""The collection of outcome files: status of each pair, counts, and the rows of table.csv."""
