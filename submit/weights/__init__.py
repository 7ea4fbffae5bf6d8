"""Weights: fetched once from where they are published, checked, and kept in the site's folder with a manifest."""
