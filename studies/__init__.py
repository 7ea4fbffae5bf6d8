"""Study files, and the demo that makes its own data."""
