"""Generators of the catalogue's CSV files; they need the libraries that they describe."""
